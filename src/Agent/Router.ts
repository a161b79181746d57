/**
 * Several agents as one: the first rule that fits a turn says who answers it, by platform, chat, user or command. A command
 * chooses for the rest of its conversation. What an agent's models and commands are called stays its own matter.
 */
import { Context, Effect, Layer, Stream } from "effect"
import { Agent, type AgentCommand, type AgentModel, type AgentTurn } from "./Agent.ts"
import type { Rule } from "./AgentSettings.ts"

export interface Named<R = never> {
  readonly name: string
  readonly layer: Layer.Layer<Agent, never, R>
}

type Service = Agent["Service"]

/** Conversations that chose by command; the one that chose longest ago falls back to the other rules. */
const mostChosen = 10_000

const same = (wanted: string | number | undefined, ...actual: ReadonlyArray<string | null>): boolean =>
  wanted === undefined || actual.includes(String(wanted))

/** Whether a rule without command is about this turn's place and sender. */
export const fits = (rule: Rule, { event: { source } }: Pick<AgentTurn, "event">): boolean =>
  same(rule.platform?.toLowerCase(), source.platform.toLowerCase()) &&
  same(rule.chat, source.chatId, source.chatIdAlt, source.threadId) &&
  same(rule.user, source.userId, source.userIdAlt)

/** `/code fix it` by a rule for `code` → the rule, and what is left of the text. */
export const commanded = (
  rules: ReadonlyArray<Rule>,
  turn: Pick<AgentTurn, "event" | "text">
): { readonly agent: string; readonly text: string } | null => {
  const match = /^\/([\w-]+)(?:\s+|$)/.exec(turn.text)
  if (match === null) return null
  const rule = rules.find(
    (rule) => rule.command?.replace(/^\//, "").toLowerCase() === match[1]?.toLowerCase() && fits(rule, turn)
  )
  return rule === undefined ? null : { agent: rule.agent, text: turn.text.slice(match[0].length) }
}

const switched = (name: string): string => `${name} answers in this conversation from here on.`

const joined = (name: string, provider: string | null): string => (provider === null ? name : `${name}/${provider}`)

/** A choice made for another agent is none for this one. */
const own = (name: string, turn: AgentTurn): AgentTurn => {
  const { model, provider } = turn.choices
  if (model === null || provider === null) return turn
  if (provider !== name && !provider.startsWith(`${name}/`)) {
    return { ...turn, choices: { ...turn.choices, model: null, provider: null } }
  }
  const rest = provider === name ? null : provider.slice(name.length + 1)
  return { ...turn, choices: { ...turn.choices, provider: rest } }
}

/** Over the agents, the first of which answers where no rule fits. Every rule names one of them. */
export const layer = <R = never>(
  agents: readonly [Named<R>, ...ReadonlyArray<Named<R>>],
  rules: ReadonlyArray<Rule>
): Layer.Layer<Agent, never, R> =>
  Layer.effect(
    Agent,
    Effect.gen(function* () {
      const built = new Map<string, Service>()
      for (const { layer, name } of agents) built.set(name, Context.get(yield* Layer.build(layer), Agent))
      const first = agents[0].name
      const main = built.get(first)!
      const all = [...built]
      const chosen = new Map<string, { readonly conversation: string; readonly agent: string }>()

      const choose = (turn: AgentTurn, agent: string) => {
        chosen.delete(turn.sessionKey)
        if (chosen.size >= mostChosen) chosen.delete(chosen.keys().next().value!)
        chosen.set(turn.sessionKey, { conversation: turn.sessionId, agent })
      }

      /** Before its first turn is stored a conversation has no id. */
      const kept = (turn: AgentTurn): string | null => {
        const choice = chosen.get(turn.sessionKey)
        if (choice === undefined || turn.sessionId === "") return null
        if (choice.conversation !== "" && choice.conversation !== turn.sessionId) return null
        if (choice.conversation === "") choose(turn, choice.agent)
        return choice.agent
      }

      const byPlace = (turn: AgentTurn): string =>
        rules.find((rule) => rule.command === undefined && fits(rule, turn))?.agent ?? first

      const start: Service["start"] = (turn) =>
        Effect.suspend(() => {
          const command = commanded(rules, turn)
          if (command === null) {
            const name = kept(turn) ?? byPlace(turn)
            return (built.get(name) ?? main).start(own(name, turn))
          }
          choose(turn, command.agent)
          if (command.text === "" && turn.media.length === 0) {
            return Effect.succeed({
              events: Stream.succeed({ _tag: "Final" as const, text: switched(command.agent) }),
              answer: () => Effect.void,
              steer: () => Effect.succeed(false)
            })
          }
          const agent = built.get(command.agent) ?? main
          return agent.start(own(command.agent, { ...turn, text: command.text }))
        })

      const listing = all.filter(([, agent]) => agent.models !== undefined)
      const models = Effect.map(
        Effect.forEach(
          listing,
          ([name, agent]) => Effect.map(Effect.result(agent.models!), (result) => ({ name, result })),
          { concurrency: 4 }
        ),
        (results) =>
          results.flatMap(({ name, result }): ReadonlyArray<AgentModel> =>
            result._tag === "Failure"
              ? []
              : result.success.map(({ id, label, provider }) => ({ id, label, provider: joined(name, provider) }))
          )
      )

      const switches = rules.flatMap(({ agent, command }): ReadonlyArray<AgentCommand> =>
        command === undefined
          ? []
          : [{ name: command.replace(/^\//, ""), description: `Talk to ${agent}`, hint: "message" }]
      )
      const compressing = all.find(([, agent]) => agent.compress !== undefined)?.[1].compress

      return Agent.of({
        name: main.name,
        start,
        ...(listing.length === 0 ? {} : { models }),
        get reasoningLevels() {
          return [...new Set(all.flatMap(([, agent]) => agent.reasoningLevels ?? []))]
        },
        commands: (sessionKey) => {
          const name = chosen.get(sessionKey)?.agent ?? first
          return [...switches, ...(built.get(name)?.commands?.(sessionKey) ?? [])]
        },
        ...(compressing === undefined ? {} : { compress: compressing }),
        forget: (sessionKey, sessionId) =>
          Effect.suspend(() => {
            chosen.delete(sessionKey)
            return Effect.forEach(all, ([, agent]) => agent.forget?.(sessionKey, sessionId) ?? Effect.void, {
              discard: true
            })
          })
      })
    })
  )
