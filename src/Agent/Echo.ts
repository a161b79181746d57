/**
 * The agent that needs no model: it answers with the text it got and obeys a first word, so that every path of the
 * gateway can be tried (`DESIGN` Seen from outside). It keeps nothing between turns.
 */
import { Deferred, Duration, Effect, Layer, Stream } from "effect"
import { Agent, AgentError, type AgentEvent, type AgentRun, type AgentTurn, type Answer } from "./Agent.ts"

/** The token of a deliberately silent answer (`delivery F1`). */
const silence = "[SILENT]"

const categories: Readonly<Record<string, AgentError["category"]>> = {
  rate_limit: "rate_limit",
  auth: "auth",
  context: "context",
  overloaded: "overloaded"
}

/** Longest pause a word may ask for; a longer one is cut, so that a typing error does not hold a session for days. */
const longest = Duration.hours(1)

const final = (text: string): AgentEvent => ({ _tag: "Final", text })

const pause = (millis: string | undefined): Duration.Duration => {
  const asked = Number(millis)
  return Number.isFinite(asked) && asked > 0 ? Duration.min(Duration.millis(asked), longest) : Duration.zero
}

/** `"3 rest of it"` → `["3", "rest of it"]`. */
const word = (text: string): readonly [string, string] => {
  const at = text.search(/\s/)
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1).trimStart()]
}

/** `text` in at most `n` pieces, none empty, none cutting a code point; joined they are the text. */
export const pieces = (text: string, n: number): ReadonlyArray<string> => {
  const points = Array.from(text)
  const size = Math.max(1, Math.ceil(points.length / Math.max(1, Math.floor(n) || 1)))
  const out: Array<string> = []
  for (let at = 0; at < points.length; at += size) out.push(points.slice(at, at + size).join(""))
  return out
}

const reply = (events: Stream.Stream<AgentEvent, AgentError>): AgentRun => ({
  events,
  answer: () => Effect.void,
  steer: () => Effect.succeed(false)
})

const says = (text: string): AgentRun => reply(Stream.succeed(final(text)))

/** A prompt, and then what the answer makes of it. */
const asks = (
  prompt: (promptId: string) => AgentEvent,
  turn: AgentTurn,
  then: (answer: Answer) => string
): Effect.Effect<AgentRun> =>
  Effect.map(Deferred.make<Answer>(), (answered) => {
    const promptId = `echo-${turn.turnId}`
    return {
      events: Stream.concat(
        Stream.succeed(prompt(promptId)),
        Stream.fromEffect(Effect.map(Deferred.await(answered), (answer) => final(then(answer))))
      ),
      answer: (id, answer) => (id === promptId ? Effect.asVoid(Deferred.succeed(answered, answer)) : Effect.void),
      steer: () => Effect.succeed(false)
    }
  })

const answerText = (answer: Answer): string => {
  switch (answer._tag) {
    case "Text":
      return answer.text
    case "Decision":
      return answer.choice
    case "None":
      return `no answer (${answer.why})`
  }
}

const withoutNotes = ({ notes = [], text }: AgentTurn): string =>
  text.slice(notes.reduce((length, note) => length + note.length + 2, 0))

const obey = (turn: AgentTurn): Effect.Effect<AgentRun, AgentError> => {
  // Obeyed as it was said; what the gateway put before it is for agents that think.
  const { text } = turn.event
  if (!text.startsWith("!")) return Effect.succeed(says(withoutNotes(turn)))
  const [first, rest] = word(text)
  switch (first) {
    case "!sleep": {
      const [millis, answer] = word(rest)
      return Effect.succeed(reply(Stream.fromEffect(Effect.as(Effect.sleep(pause(millis)), final(answer)))))
    }
    case "!stream": {
      const [count, tail] = word(rest)
      const [millis, answer] = word(tail)
      const gap = pause(millis)
      return Effect.succeed(
        reply(
          Stream.concat(
            Stream.fromIterable(pieces(answer, Number(count))).pipe(
              Stream.mapEffect((text) => Effect.as(Effect.sleep(gap), { _tag: "TextDelta" as const, text }))
            ),
            Stream.succeed(final(answer))
          )
        )
      )
    }
    case "!silent":
      return Effect.succeed(says(silence))
    case "!tool": {
      const [tool, answer] = word(rest)
      return Effect.succeed(
        reply(
          Stream.make<ReadonlyArray<AgentEvent>>(
            { _tag: "ToolStarted", tool, preview: answer },
            { _tag: "ToolFinished", tool, ok: true },
            final(answer)
          )
        )
      )
    }
    case "!ask": {
      const [question = "", ...choices] = rest.split("|").map((part) => part.trim())
      return asks((promptId) => ({ _tag: "Question", promptId, question, choices }), turn, answerText)
    }
    case "!approve":
      return asks((promptId) => ({ _tag: "Approval", promptId, command: rest, description: null }), turn, answerText)
    case "!media":
      return Effect.succeed(
        reply(Stream.make<ReadonlyArray<AgentEvent>>({ _tag: "Attachment", ref: rest, caption: null }, final("")))
      )
    case "!fail":
      return rest === "crash"
        ? Effect.die(new Error("the echo agent was asked to crash"))
        : Effect.fail(
            new AgentError({
              category: Object.hasOwn(categories, rest) ? categories[rest]! : "provider",
              message: `the echo agent was asked to fail: ${rest}`,
              retryable: rest !== "auth"
            })
          )
    default:
      return Effect.succeed(says(withoutNotes(turn)))
  }
}

export const layer = Layer.succeed(Agent, { name: "echo", start: obey })
