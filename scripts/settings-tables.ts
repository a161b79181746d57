/**
 * The tables of `docs/configure.md`, made from the declarations themselves: `npx node scripts/settings-tables.ts` writes
 * them anew, and a test fails while they are out of date.
 */
import { readFileSync, writeFileSync } from "node:fs"
import path from "node:path"
import { Duration } from "effect"
import { accessSettings } from "../src/Access/KnownSettings.ts"
import { agentSettings } from "../src/Agent/AgentSettings.ts"
import { McpUrl } from "../src/Cli/Mcp.ts"
import { gatewaySettings } from "../src/Config/GatewaySettings.ts"
import { outgoingSettings } from "../src/Config/Outgoing.ts"
import type { Setting } from "../src/Config/Setting.ts"
import { commandSettings } from "../src/Conversation/Commands/CommandSettings.ts"
import { PrivacyPiiSalt, PrivacyRedactPii } from "../src/Conversation/ContextPrompt.ts"
import * as Policy from "../src/Relay/Policy.ts"
import { displaySettings, TerminalCwd } from "../src/Delivery/DisplaySettings.ts"
import { relaySettings } from "../src/Relay/RelaySettings.ts"
import { sessionSettings } from "../src/Session/SessionSettings.ts"

export const page = path.join(import.meta.dirname, "../docs/configure.md")

const code = (text: string): string => (text.includes("`") ? `\`\` ${text} \`\`` : `\`${text}\``)

const valueOf = (value: unknown): string => {
  if (value === null || (Array.isArray(value) && value.length === 0)) return "none"
  if (typeof value === "object" && Object.keys(value).length === 0) return "none"
  if (Duration.isDuration(value)) return code(String(Duration.toSeconds(value)))
  if (typeof value === "object" && "_tag" in value) return code(String(value._tag))
  return typeof value === "string" ? (value === "" ? "empty" : code(value)) : code(String(value))
}

const cell = (text: string): string => text.replaceAll("|", "\\|")

const table = (settings: ReadonlyArray<Setting<unknown>>): string =>
  [
    "| key in `config.yaml` | variable | default | expected | meaning |",
    "|---|---|---|---|---|",
    ...settings.map(({ default: value, description, env, key, kind, live }) =>
      [
        key === null ? "–" : code(key),
        env.map(code).join(", ") || "–",
        valueOf(value),
        kind.expected,
        live ? `${description} *(live)*` : description
      ]
        .map(cell)
        .join(" | ")
        .replace(/^.*$/, "| $& |")
    )
  ].join("\n")

const tables: Readonly<Record<string, ReadonlyArray<Setting<unknown>>>> = {
  gateway: gatewaySettings,
  display: [...Object.values(displaySettings), TerminalCwd],
  agents: [...agentSettings, McpUrl],
  relay: relaySettings,
  policy: Object.values(Policy.settingsOf("PLATFORM")),
  outgoing: outgoingSettings,
  commands: commandSettings,
  sessions: [...sessionSettings, PrivacyRedactPii, PrivacyPiiSalt],
  access: accessSettings(["PLATFORM"])
}

/** The page with every table between its marks as the program has it; fails when a mark is missing. */
export const withTables = (text: string): string =>
  Object.entries(tables).reduce((text, [name, settings]) => {
    const marks = new RegExp(`(<!-- settings: ${name} -->\n)[^]*?(<!-- end -->)`)
    if (!marks.test(text)) throw new Error(`docs/configure.md has no place for the settings of ${name}`)
    return text.replace(marks, (_, before: string, after: string) => `${before}\n${table(settings)}\n\n${after}`)
  }, text)

if (import.meta.main) writeFileSync(page, withTables(readFileSync(page, "utf8")))
