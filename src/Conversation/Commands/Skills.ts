/**
 * Skills as commands (`commands K1`, K4): the files of `HOME/skills`, expanded by us for the agent. Read at start and when
 * asked to; a file that cannot be used is left out and said so in the log.
 */
import { readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { Context, Effect, Layer, Result } from "effect"
import { parse } from "yaml"
import { Settings } from "../../Config/Settings.ts"

export interface Skill {
  /** `[a-z0-9-]`. */
  readonly name: string
  readonly description: string
  readonly content: string
  /** Platforms on which it is refused. */
  readonly disabledOn: ReadonlyArray<string>
  readonly isDisabled: boolean
}

/** Skills that are read at most, in the order of their files. */
const maxSkills = 500
const maxBytes = 128 * 1024
/** Skills in one message (`commands K1`). */
export const maxStacked = 5

/** Lower case, spaces and `_` to `-`, nothing but `[a-z0-9-]`, no double or outer `-` (`commands K1`, N3). */
export const skillName = (declared: string): string =>
  declared
    .toLowerCase()
    .replaceAll(/[\s_]+/g, "-")
    .replaceAll(/[^a-z0-9-]/g, "")
    .replaceAll(/-+/g, "-")
    .replaceAll(/^-|-$/g, "")

const record = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null ? { ...value } : {}

/** A Markdown file with a head between `---` lines: `name`, `description`, `disabled`, `disabled_on`. `null`: no name. */
export const skillOf = (file: string, text: string): Skill | null => {
  const head = /^---\r?\n([^]*?)\r?\n---\r?\n?/.exec(text)
  const fields = Result.getOrElse(
    Result.try(() => record(head === null ? null : parse(head[1]!))),
    () => record(null)
  )
  const name = skillName(typeof fields["name"] === "string" ? fields["name"] : file)
  if (name === "") return null
  const description = typeof fields["description"] === "string" ? fields["description"].replaceAll(/\s+/g, " ") : ""
  const disabledOn = fields["disabled_on"]
  return {
    name,
    description: description.trim(),
    content: (head === null ? text : text.slice(head[0].length)).trim(),
    disabledOn: Array.isArray(disabledOn) ? disabledOn.map((platform) => String(platform).toLowerCase()) : [],
    isDisabled: fields["disabled"] === true
  }
}

interface Read {
  readonly skills: ReadonlyArray<Skill>
  readonly unusable: ReadonlyArray<string>
}

const readSkills = (folder: string): Read => {
  const found = Result.try(() => readdirSync(folder, { withFileTypes: true }))
  if (Result.isFailure(found)) return { skills: [], unusable: [] }
  const byName = new Map<string, Skill>()
  const unusable: Array<string> = []
  for (const entry of found.success.toSorted((a, b) => (a.name < b.name ? -1 : 1)).slice(0, maxSkills)) {
    const isFile = entry.isFile() && entry.name.endsWith(".md")
    if (!isFile && !entry.isDirectory()) continue
    const file = isFile ? join(folder, entry.name) : join(folder, entry.name, "SKILL.md")
    const skill = Result.try(() => {
      if (statSync(file).size > maxBytes) return null
      return skillOf(entry.name.replace(/\.md$/, ""), readFileSync(file, "utf8"))
    })
    if (Result.isSuccess(skill) && skill.success !== null && !byName.has(skill.success.name)) {
      byName.set(skill.success.name, skill.success)
    } else unusable.push(entry.name)
  }
  return { skills: [...byName.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1)), unusable }
}

export class Skills extends Context.Service<
  Skills,
  {
    readonly all: () => ReadonlyArray<Skill>
    /** Reads the folder anew and says what changed. */
    readonly reload: Effect.Effect<{
      readonly added: ReadonlyArray<string>
      readonly removed: ReadonlyArray<string>
      readonly total: number
    }>
  }
>()("Conversation/Skills") {
  static readonly layer = Layer.effect(
    Skills,
    Effect.gen(function* () {
      const folder = join((yield* Settings).home, "skills")
      let known: ReadonlyArray<Skill> = []
      const reload = Effect.gen(function* () {
        const before = new Set(known.map(({ name }) => name))
        const { skills, unusable } = readSkills(folder)
        if (unusable.length > 0) yield* Effect.logWarning("skills that cannot be used were left out", { unusable })
        known = skills
        const after = new Set(skills.map(({ name }) => name))
        return {
          added: [...after].filter((name) => !before.has(name)),
          removed: [...before].filter((name) => !after.has(name)),
          total: skills.length
        }
      })
      yield* reload
      return { all: () => known, reload }
    })
  )
}
