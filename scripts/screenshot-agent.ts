/**
 * The agent of the pictures in `docs/images/`: it knows the answers to what `screenshot.ts` asks and types them like a
 * model. It stands in the place of the echo agent of an otherwise unchanged gateway.
 */
import { Duration, Effect, Layer, Schedule, Stream } from "effect"
import { Agent, type AgentEvent } from "../src/Agent/Agent.ts"

const lines = (...text: ReadonlyArray<string>): string => text.join("\n")

const nightly = lines(
  "Yes: **48,211 rows** in 3 min 12 s. Two were set aside:",
  "",
  "| table | rows | set aside |",
  "|:--|--:|--:|",
  "| customers | 12,090 | – |",
  "| orders | 36,121 | 2 |",
  "",
  "Both have no currency. This finds them:",
  "",
  "```sql",
  "SELECT id, customer_id, total",
  "FROM orders",
  "WHERE currency IS NULL;",
  "```"
)

/** First words of a question, milliseconds between two words of the answer, and the answer. */
const script: ReadonlyArray<readonly [question: string, pace: number, answer: string]> = [
  ["Did the import", 10, nightly],
  [
    "Fix both",
    150,
    "Done: both orders now carry the currency of their customer's country, and the check is green. " +
      "I added a rule that stops such rows at the door, so the next import will name them before it writes anything. " +
      "The summary is on its way to the team."
  ],
  ["What is on", 10, "Standup at 10, the review at 14:30. Nothing after that."]
]

export const layer = Layer.succeed(Agent, {
  name: "scripted",
  start: ({ text }) => {
    const [, pace, answer] = script.find(([question]) => text.startsWith(question)) ?? ["", 10, text]
    const words = answer.split(/(?<=\s)(?=\S)/).map((word): AgentEvent => ({ _tag: "TextDelta", text: word }))
    return Effect.succeed({
      events: Stream.concat(
        Stream.fromIterable(words).pipe(Stream.schedule(Schedule.spaced(Duration.millis(pace)))),
        Stream.succeed<AgentEvent>({ _tag: "Final", text: answer })
      ),
      answer: () => Effect.void,
      steer: () => Effect.succeed(false)
    })
  }
})
