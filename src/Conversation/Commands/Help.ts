/** What there is to be typed in one chat, from the registry, the skills and the agent alone (`commands`: help, commands, menus). */
import type { Caller } from "./Caller.ts"
import type { CommandDef, Group } from "./CommandDef.ts"
import type { Offer } from "./Offer.ts"

export interface Entry {
  readonly name: string
  readonly aliases: ReadonlyArray<string>
  readonly args: string
  readonly help: string
  readonly kind: "built-in" | "quick" | "skill" | "agent"
  readonly group: Group | "Quick commands" | "Skills" | "Of the agent"
}

/** Aliases that differ from a name only by `-` and `_` say nothing new (`commands M5`). */
const worthShowing = ({ aliases, name }: CommandDef): ReadonlyArray<string> =>
  aliases.filter((alias) => alias.replaceAll(/[-_]/g, "") !== name.replaceAll(/[-_]/g, ""))

/** Whatever the chat: it works, and there is a point in typing it. */
export const isTyped = (def: CommandDef): boolean =>
  def.isHidden !== true && def.isMissing !== true && def.inChats !== false

export const isShown = (def: CommandDef, offer: Offer): boolean =>
  isTyped(def) &&
  (def.platforms === undefined || def.platforms.includes(offer.platform)) &&
  (def.isOffered === undefined || def.isOffered(offer))

/** In the order of the registry, then quick commands, skills and the agent's own by name; no name twice. */
export const entriesOf = (
  commands: ReadonlyArray<CommandDef>,
  offer: Offer,
  may: Caller["may"] = () => true
): ReadonlyArray<Entry> => {
  const names = new Set(commands.flatMap(({ aliases, name }) => [name, ...aliases]))
  const entries: Array<Entry> = commands
    .filter((def) => isShown(def, offer))
    .map((def) => ({
      name: def.name,
      aliases: worthShowing(def),
      args: def.args,
      help: def.help,
      kind: "built-in",
      group: def.group
    }))
  const add = (entry: Entry) => {
    if (names.has(entry.name)) return
    names.add(entry.name)
    entries.push(entry)
  }
  for (const [name, quick] of offer.quick) {
    const help = quick.type === "alias" ? `Stands for /${quick.target.replace(/^\//, "")}` : "A command of this gateway"
    add({ name, aliases: [], args: "", help, kind: "quick", group: "Quick commands" })
  }
  for (const skill of offer.skills) {
    if (skill.isDisabled || skill.disabledOn.includes(offer.platform)) continue
    add({ name: skill.name, aliases: [], args: "[TEXT]", help: skill.description, kind: "skill", group: "Skills" })
  }
  for (const { description, hint, name } of offer.announced) {
    add({ name, aliases: [], args: hint ?? "", help: description, kind: "agent", group: "Of the agent" })
  }
  return entries.filter(({ name }) => may(name))
}

export const line = ({ aliases, args, help, name }: Entry): string =>
  `/${name}${args === "" ? "" : ` ${args}`}${help === "" ? "" : `: ${help}`}` +
  (aliases.length === 0 ? "" : ` (also ${aliases.map((alias) => `/${alias}`).join(", ")})`)

const byGroup = (entries: ReadonlyArray<Entry>): ReadonlyArray<string> => {
  const groups = [...new Set(entries.map(({ group }) => group))]
  return groups.map((group) => [group, ...entries.filter((entry) => entry.group === group).map(line)].join("\n"))
}

/** Skills that `/help` names (`commands`, Information). */
const helpedSkills = 10

/** Gives the text and how many skills it leaves out. */
export const help = (
  entries: ReadonlyArray<Entry>,
  filter: string
): { readonly text: string; readonly hiddenSkills: number } => {
  const word = filter.trim().toLowerCase().replace(/^\//, "")
  const found =
    word === "skills"
      ? entries.filter(({ kind }) => kind === "skill")
      : entries.filter((entry) => line(entry).toLowerCase().includes(word))
  const skills = found.filter(({ kind }) => kind === "skill")
  const left = word === "" ? new Set(skills.slice(helpedSkills)) : new Set<Entry>()
  return { text: byGroup(found.filter((entry) => !left.has(entry))).join("\n\n"), hiddenSkills: left.size }
}

export interface Page {
  readonly page: number
  readonly pages: number
  readonly lines: ReadonlyArray<string>
}

/** The page nearest to the one asked for, from 1. */
export const pageOf = (entries: ReadonlyArray<Entry>, size: number, asked: number): Page => {
  const pages = Math.max(1, Math.ceil(entries.length / size))
  const page = Math.min(pages, Math.max(1, asked))
  return { page, pages, lines: entries.slice((page - 1) * size, page * size).map(line) }
}
