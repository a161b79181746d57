/** Turns as the conversation hands them to an agent, and what an agent made of one. */
import { Effect, Exit, Stream } from "effect"
import { Agent, type AgentError, type AgentEvent, type AgentTurn, noChoices } from "../../src/Agent/Agent.ts"
import * as MessageEvent from "../../src/Message/MessageEvent.ts"
import * as Source from "../../src/Message/Source.ts"
import type { StoredMessage } from "../../src/Storage/Transcript.ts"

export const turn = (text: string, more: Partial<AgentTurn> = {}): AgentTurn => ({
  sessionKey: "agent:main:test:dm:1",
  sessionId: "s1",
  turnId: "1",
  event: MessageEvent.text(Source.make({ platform: "test", chatId: "1" }), text),
  text,
  media: [],
  context: "",
  choices: noChoices,
  history: Effect.succeed([]),
  ...more
})

/** A history with one message a second. */
export const history = (...contents: ReadonlyArray<string>): ReadonlyArray<StoredMessage> =>
  contents.map((content, i) => ({ role: i % 2 === 0 ? "user" : "assistant", content, timestamp: 1000 * (i + 1) }))

/** All events of a turn. */
export const events = (turn: AgentTurn): Effect.Effect<ReadonlyArray<AgentEvent>, AgentError, Agent> =>
  Effect.scoped(
    Effect.flatMap(Agent, (agent) => Effect.flatMap(agent.start(turn), ({ events }) => Stream.runCollect(events)))
  )

export const finalOf = (all: ReadonlyArray<AgentEvent>): string | null => {
  const last = all.at(-1)
  return last?._tag === "Final" ? last.text : null
}

export const reply = (turn: AgentTurn): Effect.Effect<string | null, AgentError, Agent> =>
  Effect.map(events(turn), finalOf)

/** The error with which a turn ended. */
export const failure = (turn: AgentTurn): Effect.Effect<AgentError, never, Agent> =>
  Effect.flatMap(Effect.exit(Effect.flip(events(turn))), (exit) =>
    Exit.isSuccess(exit) ? Effect.succeed(exit.value) : Effect.die(new Error("the turn did not fail"))
  )
