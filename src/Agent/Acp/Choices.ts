/**
 * What an agent lets a conversation choose: models, modes and depth of thought (`/model`, `/reasoning`), as our words and
 * back (pure). A choice that the agent does not offer changes nothing.
 */
import type { AgentChoices, AgentModel } from "../Agent.ts"
import type { ConfigOption } from "./Updates.ts"

/** Stands as provider of a mode among the models. */
const modeProvider = "mode"
const modePrefix = "mode:"

interface Value {
  readonly value: string
  readonly name: string
}

const valuesOf = (option: ConfigOption | undefined): ReadonlyArray<Value> =>
  option?.options?.flatMap((entry) => ("value" in entry ? [entry] : entry.options)) ?? []

const ofCategory = (config: ReadonlyArray<ConfigOption>, category: string) =>
  config.find((option) => option.category === category)

export interface Offer {
  readonly config: ReadonlyArray<ConfigOption>
  readonly modes: ReadonlyArray<{ readonly id: string; readonly name: string }>
}

/** Modes follow the models, under a prefix; agents offer them as an option or in the older way. */
export const modelsOf = ({ config, modes }: Offer): ReadonlyArray<AgentModel> => {
  const option = ofCategory(config, "mode")
  const ways = option === undefined ? modes : valuesOf(option).map(({ name, value }) => ({ id: value, name }))
  return [
    ...valuesOf(ofCategory(config, "model")).map(({ name, value }) => ({ id: value, label: name, provider: null })),
    ...ways.map(({ id, name }) => ({ id: `${modePrefix}${id}`, label: `Mode: ${name}`, provider: modeProvider }))
  ]
}

export const reasoningLevelsOf = ({ config }: Offer): ReadonlyArray<string> =>
  valuesOf(ofCategory(config, "thought_level")).map(({ value }) => value)

export type Change =
  | { readonly _tag: "Option"; readonly id: string; readonly value: string }
  | { readonly _tag: "Mode"; readonly id: string }

/** What must be told to the agent so that a session is as its conversation chose; `null` = the agent's own default. */
export const changesFor = (
  {
    config,
    defaults,
    mode,
    modes
  }: Offer & {
    readonly mode: string | null
    readonly defaults: ReadonlyMap<string, string | boolean>
  },
  choices: AgentChoices
): ReadonlyArray<Change> => {
  const out: Array<Change> = []
  const set = (category: string, chosen: string | null) => {
    const option = ofCategory(config, category)
    if (option === undefined) return
    const wanted = chosen ?? defaults.get(option.id)
    if (typeof wanted !== "string" || wanted === option.currentValue) return
    if (valuesOf(option).some(({ value }) => value === wanted))
      out.push({ _tag: "Option", id: option.id, value: wanted })
  }
  const { model } = choices
  if (model?.startsWith(modePrefix)) {
    const way = model.slice(modePrefix.length)
    if (ofCategory(config, "mode") !== undefined) set("mode", way)
    else if (way !== mode && modes.some(({ id }) => id === way)) out.push({ _tag: "Mode", id: way })
  } else set("model", model)
  set("thought_level", choices.reasoning)
  return out
}
