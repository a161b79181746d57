/**
 * The tables of `docs/commands.md`, made from the registry itself: `npx node scripts/command-tables.ts` writes them anew, and
 * a test fails while they are out of date.
 */
import { readFileSync, writeFileSync } from "node:fs"
import path from "node:path"
import { type CommandDef, classOf, policyOf } from "../src/Conversation/Commands/CommandDef.ts"
import { commands } from "../src/Conversation/Commands/Registry.ts"

export const page = path.join(import.meta.dirname, "../docs/commands.md")

const during: Readonly<Record<ReturnType<typeof policyOf>, string>> = {
  now: "at once",
  stop: "ends it",
  no: "refused"
}

const owners: Readonly<Record<CommandDef["owner"], string>> = {
  gateway: "gateway",
  both: "gateway, with the agent",
  agent: "agent"
}

const code = (text: string): string => `\`${text.replaceAll("|", "\\|")}\``

const row = (def: CommandDef): string =>
  [
    "",
    [`/${def.name}`, ...def.aliases.map((alias) => `/${alias}`)].map(code).join(", "),
    def.args === "" ? "" : code(def.args),
    def.help,
    owners[def.owner],
    during[policyOf(def, "")],
    classOf(def, ""),
    ""
  ]
    .join(" | ")
    .trim()

const isMissing = (def: CommandDef): boolean => def.isMissing === true

const table = (defs: ReadonlyArray<CommandDef>): string =>
  [
    "| command | arguments | what it does | whose | during a task | class |",
    "|---|---|---|---|---|---|",
    ...defs.map(row)
  ].join("\n")

const names = (defs: ReadonlyArray<CommandDef>): string => defs.map(({ name }) => code(`/${name}`)).join(", ")

const sections: Readonly<Record<string, () => string>> = {
  session: () => table(inChat("Session")),
  configuration: () => table(inChat("Configuration")),
  tools: () => table(inChat("Tools and skills")),
  information: () => table(inChat("Information and operation")),
  missing: () => names(commands.filter(isMissing)),
  terminal: () => names(commands.filter(({ inChats }) => inChats === false))
}

const inChat = (group: CommandDef["group"]): ReadonlyArray<CommandDef> =>
  commands.filter((def) => def.group === group && def.inChats !== false && !isMissing(def))

/** The page with every table between its marks as the registry has it; fails when a mark is missing. */
export const withTables = (text: string): string =>
  Object.entries(sections).reduce((text, [name, content]) => {
    const marks = new RegExp(`(<!-- commands: ${name} -->\n)[^]*?(<!-- end -->)`)
    if (!marks.test(text)) throw new Error(`docs/commands.md has no place for the commands of ${name}`)
    return text.replace(marks, (_, before: string, after: string) => `${before}\n${content()}\n\n${after}`)
  }, text)

if (import.meta.main) writeFileSync(page, withTables(readFileSync(page, "utf8")))
