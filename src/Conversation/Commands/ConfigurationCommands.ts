/** Commands that change how the gateway behaves, for this conversation or for all (`commands`, Configuration). */
import { Effect } from "effect"
import { DisplayBusyInputMode } from "../../Config/GatewaySettings.ts"
import * as Setting from "../../Config/Setting.ts"
import { Settings } from "../../Config/Settings.ts"
import type { CommandDef, Run } from "./CommandDef.ts"
import * as Said from "./CommandTexts.ts"
import { save } from "./Saving.ts"

const busyModes = ["interrupt", "queue", "steer"] as const

const busy: Run = Effect.fnUntraced(function* ({ args }) {
  const wanted = args.trim().toLowerCase()
  const mode = busyModes.find((mode) => mode === wanted)
  if (mode !== undefined) {
    return { text: yield* save(DisplayBusyInputMode, mode, Said.configuration.saved("display.busy_input_mode", mode)) }
  }
  if (wanted !== "" && wanted !== "status") return { text: Said.usage("busy", "[queue, steer, interrupt, status]") }
  const now = yield* (yield* Settings).get(DisplayBusyInputMode).pipe(Effect.orDie)
  return { text: Said.configuration.busyIs(now) }
})

/** `/verbose` goes through them in this order (`conversation G1`). */
const progressModes = ["off", "new", "all", "verbose", "log"] as const

const progressOf = (platform: string) =>
  Setting.make({
    key: `display.platforms.${platform}.tool_progress`,
    kind: Setting.lenient(Setting.oneOf(progressModes)),
    default: "all",
    description: "how much of the tools is shown",
    live: true
  })

const verbose: Run = Effect.fnUntraced(function* ({ offer }) {
  if (!offer.verboseCommand) return { text: Said.configuration.verboseOff }
  const setting = progressOf(offer.platform)
  const now = yield* (yield* Settings).get(setting).pipe(Effect.orDie)
  const next = progressModes[(progressModes.indexOf(now) + 1) % progressModes.length]!
  return { text: yield* save(setting, next, Said.configuration.saved(setting.key!, next)) }
})

const Footer = Setting.make({
  key: "display.runtime_footer.enabled",
  kind: Setting.boolean,
  default: false,
  description: "a line under final replies: model, context, folder",
  live: true
})

const footer: Run = Effect.fnUntraced(function* ({ args }) {
  const wanted = args.trim().toLowerCase()
  const now = yield* (yield* Settings).get(Footer).pipe(Effect.orDie)
  if (wanted === "status") return { text: Said.configuration.footerIs(now) }
  if (wanted !== "" && wanted !== "on" && wanted !== "off") return { text: Said.usage("footer", "[on, off, status]") }
  const next = wanted === "" ? !now : wanted === "on"
  return { text: yield* save(Footer, next, `${Said.configuration.footerIs(next)} ${Said.configuration.footerExample}`) }
})

const sethome: Run = Effect.fnUntraced(function* ({ row }) {
  const { chatId, chatName, platform, scopeId, threadId } = row.event.source
  const home = Setting.make<unknown>({
    key: `platforms.${platform}.home_channel`,
    env: `${platform.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_")}_HOME_CHANNEL`,
    kind: Setting.coerce("a chat", (raw) => raw),
    default: null,
    description: "where what belongs to no chat is sent",
    live: true
  })
  const name = chatName ?? "This chat"
  const value = {
    chat_id: chatId,
    name,
    ...(threadId === null ? {} : { thread_id: threadId }),
    ...(scopeId === null ? {} : { scope_id: scopeId })
  }
  return { text: yield* save(home, value, Said.configuration.home(platform, name)) }
})

const common = { aliases: [], group: "Configuration", owner: "gateway", class: "configuration", policy: "now" } as const

export const configurationCommands: ReadonlyArray<CommandDef> = [
  {
    ...common,
    name: "busy",
    args: "[queue, steer, interrupt, status]",
    help: "What a message does to a running task",
    surface: "terminal",
    run: busy
  },
  {
    ...common,
    name: "verbose",
    args: "",
    help: "Show more or less of the tools",
    surface: "terminal",
    isOffered: ({ verboseCommand }) => verboseCommand,
    run: verbose
  },
  { ...common, name: "footer", args: "[on, off, status]", help: "A line under final replies", run: footer },
  {
    ...common,
    name: "sethome",
    aliases: ["set-home"],
    args: "",
    help: "Make this chat the platform's home channel",
    group: "Session",
    surface: "chat",
    policy: "no",
    run: sethome
  }
]
