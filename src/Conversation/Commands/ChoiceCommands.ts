/** What one conversation chooses for itself: model, reasoning, approvals (`commands`, Configuration; `session E4`). */
import { Duration, Effect } from "effect"
import { Agent, type AgentModel } from "../../Agent/Agent.ts"
import { nearest } from "../../Config/Nearest.ts"
import { Sessions } from "../../Session/Sessions.ts"
import { noChoices } from "../../Storage/Routes.ts"
import { askerOf } from "./Asking.ts"
import type { CommandDef, Invocation, Run } from "./CommandDef.ts"
import * as Said from "./CommandTexts.ts"

/** The session waits for the list, so that waiting has an end. */
const patience = Duration.seconds(10)
/** Models of one provider in a list that is text (`commands`, `/model`). */
const listedModels = 5

const choose = Effect.fnUntraced(function* (
  invocation: Invocation,
  changes: Parameters<Sessions["Service"]["choose"]>[1],
  text: string
) {
  const plan = yield* (yield* Sessions).choose(askerOf(invocation), changes)
  return { text, writes: plan.writes, routed: plan.route }
})

const choicesOf = ({ session }: Invocation) => session.route?.choices ?? noChoices

const listOf = (models: ReadonlyArray<AgentModel>): ReadonlyArray<string> => {
  const providers = [...new Set(models.map(({ provider }) => provider))]
  return providers.flatMap((provider) => {
    const own = models.filter((model) => model.provider === provider)
    const more = own.length > listedModels ? [`  … and ${own.length - listedModels} more`] : []
    return [
      ...(provider === null ? [] : [`${provider}:`]),
      ...own.slice(0, listedModels).map(({ id }) => `  ${id}`),
      ...more
    ]
  })
}

/** By id, else by label, else by the only id that holds the words; of one provider if that was asked for. */
const modelOf = (models: ReadonlyArray<AgentModel>, wanted: string): AgentModel | null => {
  const lower = wanted.toLowerCase()
  const exact = models.find(({ id }) => id.toLowerCase() === lower)
  if (exact !== undefined) return exact
  const labelled = models.find(({ label }) => label.toLowerCase() === lower)
  if (labelled !== undefined) return labelled
  const holding = models.filter(({ id }) => id.toLowerCase().includes(lower))
  return holding.length === 1 ? holding[0]! : null
}

const model: Run = Effect.fnUntraced(function* (invocation) {
  const agent = yield* Agent
  if (agent.models === undefined) return { text: Said.configuration.oneModel(agent.name) }
  const words = invocation.args.split(/\s+/).filter((word) => word !== "")
  const at = words.indexOf("--provider")
  const provider = at < 0 ? null : (words[at + 1] ?? null)
  const name = words.filter((word, i) => !word.startsWith("--") && (at < 0 || i !== at + 1)).join(" ")
  if (words.includes("--global")) return { text: Said.configuration.modelGlobal }
  if (name === "reset" || name === "default") {
    return yield* choose(invocation, { model: null, provider: null }, Said.configuration.modelReset)
  }
  const found = yield* agent.models.pipe(
    Effect.timeoutOption(patience),
    Effect.catch((error) =>
      Effect.as(Effect.logWarning("the agent's models could not be read", error.message), { _tag: "None" as const })
    )
  )
  if (found._tag === "None") return { text: Said.configuration.modelsFailed }
  const models = provider === null ? found.value : found.value.filter((other) => other.provider === provider)
  if (name === "") {
    return { text: [Said.configuration.modelIs(choicesOf(invocation).model), ...listOf(models)].join("\n") }
  }
  const chosen = modelOf(models, name)
  if (chosen === null) {
    return {
      text: Said.configuration.modelUnknown(
        name,
        nearest(
          name,
          models.map(({ id }) => id)
        )
      )
    }
  }
  return yield* choose(
    invocation,
    { model: chosen.id, provider: chosen.provider },
    Said.configuration.modelSet(chosen.id, chosen.provider)
  )
})

const reasoning: Run = Effect.fnUntraced(function* (invocation) {
  const agent = yield* Agent
  const levels = agent.reasoningLevels ?? []
  if (levels.length === 0) return { text: Said.configuration.noReasoning(agent.name) }
  const words = invocation.args
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== "")
  if (words.includes("--global")) return { text: Said.configuration.reasoningGlobal }
  const [wanted = ""] = words
  if (wanted === "") return { text: Said.configuration.reasoningIs(choicesOf(invocation).reasoning, levels) }
  if (wanted === "reset") return yield* choose(invocation, { reasoning: null }, Said.configuration.reasoningReset)
  return levels.includes(wanted)
    ? yield* choose(invocation, { reasoning: wanted }, Said.configuration.reasoningSet(wanted))
    : { text: Said.configuration.reasoningUnknown(levels) }
})

const yolo: Run = (invocation) => {
  const on = !choicesOf(invocation).yolo
  return choose(invocation, { yolo: on }, on ? Said.configuration.yoloOn : Said.configuration.yoloOff)
}

const common = { aliases: [], group: "Configuration", owner: "gateway", class: "session" } as const

export const choiceCommands: ReadonlyArray<CommandDef> = [
  {
    ...common,
    name: "model",
    args: "[name, reset] [--provider SLUG]",
    help: "Show the models, or choose one for this conversation",
    policy: "no",
    isOffered: ({ agent }) => agent.models !== undefined,
    run: model
  },
  {
    ...common,
    name: "reasoning",
    args: "[level, reset]",
    help: "How much the agent thinks in this conversation",
    owner: "both",
    policy: "no",
    isOffered: ({ agent }) => (agent.reasoningLevels ?? []).length > 0,
    run: reasoning
  },
  {
    ...common,
    name: "yolo",
    args: "",
    help: "No approvals in this conversation, until its end",
    policy: "now",
    run: yolo
  }
]
