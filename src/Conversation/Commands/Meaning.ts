/** What a typed name stands for in one chat, in the order of `commands D1`. Pure. */
import { Effect } from "effect"
import type { CommandDef } from "./CommandDef.ts"
import * as Said from "./CommandTexts.ts"
import type { Offer } from "./Offer.ts"
import { exec, shown } from "./QuickCommands.ts"
import { find, suggestion } from "./Registry.ts"
import { maxStacked, type Skill, skillName } from "./Skills.ts"

/** `names` are all that access is asked about: canonical, or as typed of what is not ours (`commands A3`). */
export type Meaning =
  | {
      readonly _tag: "BuiltIn"
      readonly names: readonly [string, ...Array<string>]
      readonly def: CommandDef
      readonly args: string
    }
  | { readonly _tag: "Quick"; readonly names: readonly [string, ...Array<string>]; readonly act: Effect.Effect<string> }
  /** A message to the agent. */
  | { readonly _tag: "Turn"; readonly names: readonly [string, ...Array<string>]; readonly text: string }
  /** Nothing but an answer. */
  | { readonly _tag: "Said"; readonly text: string }

const isOff = ({ disabledOn, isDisabled }: Skill, platform: string): boolean =>
  isDisabled || disabledOn.includes(platform)

/** `/a /b text`: the skills that lead a message, and what is left of it (`commands K1`). */
const stacked = (first: Skill, args: string, skills: ReadonlyArray<Skill>) => {
  const found = [first]
  let rest = args
  while (true) {
    const next = /^\/([^\s/]+)(?:\s+|$)/.exec(rest)
    const skill = next === null ? undefined : skills.find(({ name }) => name === skillName(next[1]!))
    if (next === null || skill === undefined) return { found, rest }
    found.push(skill)
    rest = rest.slice(next[0].length)
  }
}

const skillMeaning = (first: Skill, args: string, offer: Offer): Meaning => {
  const { found, rest } = stacked(first, args, offer.skills)
  if (found.length > maxStacked) return { _tag: "Said", text: Said.skill.tooMany(maxStacked) }
  const off = found.find((skill) => isOff(skill, offer.platform))
  if (off !== undefined) return { _tag: "Said", text: Said.skill.disabled(off.name) }
  const [, ...others] = found.map(({ name }) => name)
  return { _tag: "Turn", names: [first.name, ...others], text: Said.skill.expanded(found, rest) }
}

/** What is neither a command of ours nor another name for one. */
const further = (name: string, args: string, offer: Offer): Meaning | null => {
  const quick = offer.quick.get(name)
  if (quick?.type === "exec") {
    return { _tag: "Quick", names: [name], act: Effect.map(exec(quick.command, args), shown) }
  }
  const skill = offer.skills.find((other) => other.name === skillName(name))
  if (skill !== undefined) return skillMeaning(skill, args, offer)
  const own = offer.announced.find((command) => command.name.toLowerCase() === name)
  if (own === undefined) return null
  return { _tag: "Turn", names: [name], text: `/${own.name}${args === "" ? "" : ` ${args}`}` }
}

const known = (name: string, args: string, offer: Offer): Meaning | null => {
  const def = find(name)
  return def === null ? further(name, args, offer) : { _tag: "BuiltIn", names: [def.name], def, args }
}

export const meaningOf = (name: string, args: string, offer: Offer): Meaning => {
  const quick = find(name) === null ? offer.quick.get(name) : undefined
  if (quick?.type === "alias") {
    const [, target = "", own = ""] = /^\/?(\S*)\s*([^]*)$/.exec(quick.target.trim()) ?? []
    const lower = target.toLowerCase()
    if (find(lower) === null && offer.quick.get(lower)?.type === "alias") {
      return { _tag: "Said", text: Said.commandLimits.aliasChain(name, lower) }
    }
    const meaning = known(lower, [own, args].filter((part) => part !== "").join(" "), offer)
    if (meaning === null) return { _tag: "Said", text: Said.commandLimits.aliasMissing(name, lower) }
    // Access is asked about both names; the one that was typed is the one that is refused (`commands Q3`).
    return meaning._tag === "Said"
      ? meaning
      : { ...meaning, names: [meaning.names[0], ...meaning.names.slice(1), name] }
  }
  return (
    known(name, args, offer) ?? {
      _tag: "Said",
      text: Said.dispatch.unknown(
        name,
        suggestion(name, [...offer.quick.keys(), ...offer.skills.map((skill) => skill.name)])
      )
    }
  )
}
