/**
 * The menus of the platforms (`commands`, Menus): what there is to be typed, in the names and numbers that each platform
 * takes. Pure; adapters register what is made here, and nothing that is left out stops working when typed.
 */
import type { Entry } from "./Help.ts"

export interface MenuItem {
  readonly name: string
  readonly description: string
  /** Slack shows it behind the command; "" = none. */
  readonly hint: string
}

export interface Menu {
  readonly items: ReadonlyArray<MenuItem>
  /** Names that did not fit; the adapter logs how many (`commands M3`, M4). */
  readonly hidden: ReadonlyArray<string>
}

const nameLength = 32

const cut = (text: string, length: number): string => {
  const shown = Array.from(text)
  return shown.length > length ? `${shown.slice(0, length - 1).join("")}…` : text
}

/** `commands M1`. */
export const telegramName = (name: string): string =>
  name
    .toLowerCase()
    .replaceAll("-", "_")
    .replaceAll(/[^a-z0-9_]/g, "")
    .replaceAll(/_+/g, "_")
    .replaceAll(/^_|_$/g, "")

/** `commands M1`. */
export const slackName = (name: string): string =>
  name
    .toLowerCase()
    .replaceAll(/[^a-z0-9_-]/g, "")
    .replaceAll(/^[-_]+|[-_]+$/g, "")
    .slice(0, nameLength)

const discordName = (name: string): string => name.toLowerCase().replaceAll(/[^a-z0-9_-]/g, "")

/** Cut to 32; on a collision 31 characters and a digit; `null`: all are taken (`commands M2`). */
const freeName = (name: string, taken: ReadonlySet<string>): string | null => {
  const short = name.slice(0, nameLength)
  if (short === "") return null
  if (!taken.has(short)) return short
  if (name.length <= nameLength) return null
  for (let digit = 0; digit < 10; digit++) {
    const other = `${name.slice(0, nameLength - 1)}${digit}`
    if (!taken.has(other)) return other
  }
  return null
}

const menuOf = (
  entries: ReadonlyArray<Entry>,
  options: {
    readonly limit: number
    readonly name: (name: string) => string
    readonly description: (entry: Entry) => string
  }
): Menu => {
  const taken = new Set<string>()
  const items: Array<MenuItem> = []
  const hidden: Array<string> = []
  for (const entry of entries) {
    const name = items.length < options.limit ? freeName(options.name(entry.name), taken) : null
    if (name === null) {
      hidden.push(entry.name)
      continue
    }
    taken.add(name)
    items.push({ name, description: options.description(entry) || entry.name, hint: cut(entry.args, 100) })
  }
  return { items, hidden }
}

/** `commands M3`. */
const telegramFirst = (
  "help new stop status resume sessions model debug restart update verbose commands approve deny queue steer " +
  "background reasoning usage platform profile whoami"
).split(" ")

export interface TelegramOptions {
  /** 1 to 100; `platforms.telegram.extra.command_menu.max_commands`. */
  readonly max?: number
  readonly priority?: ReadonlyArray<string>
  readonly priorityMode?: "prepend" | "append" | "replace"
}

export const telegram = (entries: ReadonlyArray<Entry>, options: TelegramOptions = {}): Menu => {
  const { max = 60, priority = [], priorityMode = "prepend" } = options
  const order =
    priorityMode === "replace"
      ? priority
      : priorityMode === "append"
        ? [...telegramFirst, ...priority]
        : [...priority, ...telegramFirst]
  const placeOf = (name: string): number => {
    const place = order.indexOf(name)
    return place < 0 ? order.length : place
  }
  const rankOf = ({ kind }: Entry): number => (kind === "skill" ? 1 : 0)
  const sorted = entries.toSorted(
    (a, b) =>
      placeOf(a.name) - placeOf(b.name) ||
      rankOf(a) - rankOf(b) ||
      (a.kind === "skill" ? (a.name < b.name ? -1 : 1) : 0)
  )
  return menuOf(sorted, {
    limit: Math.min(100, Math.max(1, max)),
    name: telegramName,
    // 40 for all keeps a menu of 100 near the platform's 4 KiB (`commands M6`).
    description: ({ help }) => cut(help, 40)
  })
}

/** Skills are one command with autocompletion, so they are no items (`commands`, Menus). The first by name wins. */
export const discord = (entries: ReadonlyArray<Entry>): Menu => {
  const skills = entries.some(({ kind }) => kind === "skill")
  const others = entries.filter(({ kind }) => kind !== "skill").toSorted((a, b) => (a.name < b.name ? -1 : 1))
  const menu = menuOf(others, {
    limit: skills ? 99 : 100,
    name: discordName,
    description: ({ help }) => cut(help, 100)
  })
  return skills
    ? { ...menu, items: [...menu.items, { name: "skill", description: "Use a skill", hint: "NAME [TEXT]" }] }
    : menu
}

const slackReserved = new Set(
  "me status away dnd shrug remind msg feed who collapse expand leave join open search topic mute pro shortcuts".split(
    " "
  )
)
/** So that the list fits (`commands M4`). */
const slackRare = new Set(["debug", "version", "update", "whoami", "platform", "insights", "moa"])

export const slack = (entries: ReadonlyArray<Entry>): Menu => {
  const catchAll: ReadonlyArray<MenuItem> = ["switchboard", "hermes"].map((name) => ({
    name,
    description: "Any command, or a message to the agent",
    hint: "[command or message]"
  }))
  const typed = entries.filter(({ kind }) => kind !== "skill")
  const isDirect = ({ name }: Entry) => !slackReserved.has(slackName(name)) && !slackRare.has(name)
  const direct = typed.filter(isDirect)
  const aliases = direct.flatMap((entry) =>
    entry.aliases.map((alias): Entry => ({ ...entry, name: alias, aliases: [] }))
  )
  const menu = menuOf([...direct, ...aliases.filter(isDirect)], {
    limit: 50 - catchAll.length,
    name: slackName,
    description: ({ help }) => cut(help, 140)
  })
  const viaCatchAll = entries.filter((entry) => !direct.includes(entry)).map(({ name }) => name)
  return { items: [...catchAll, ...menu.items], hidden: [...viaCatchAll, ...menu.hidden] }
}
