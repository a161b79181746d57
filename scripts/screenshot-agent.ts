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

/** Texts that are hard to show: answered at once, whole. */
const hard: Readonly<Record<string, string>> = {
  "A table": lines(
    "All two hundred of them:",
    "",
    "| no. | name | city | balance |",
    "|--:|:--|:--|--:|",
    ...Array.from(
      { length: 200 },
      (_, i) => `| ${i + 1} | customer ${i + 1} | ${["Oslo", "Kyōto", "القاهرة"][i % 3]!} | ${(i * 37) % 1000}.00 |`
    )
  ),
  "Code in": lines(
    "A document that explains how fences work:",
    "",
    "````markdown",
    "Write your code like this:",
    "",
    "```python",
    "def greet(name):",
    '    print(f"Hello, {name}")',
    "```",
    "",
    "~~~",
    "or like this",
    "~~~",
    "````",
    "",
    "1. and in a list:",
    "   ```sh",
    "   npm test",
    "   ```",
    "2. done."
  ),
  "Right to": lines(
    "مرحبا! هذه فقرة باللغة العربية، وفيها كلمة **مهمة** ورقم 42 واسم ملف `report.pdf`.",
    "",
    "- בעברית: שלום עולם, version 1.5 (beta)",
    "- فارسی: سلام دنیا",
    "",
    "> اقتباس قصير، ثم English words inside."
  ),
  "A long": `Five megabytes:\n\n${"The quick brown fox jumps over the lazy dog. ".repeat(111_112)}`
}

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
    const whole = Object.entries(hard).find(([question]) => text.startsWith(question))?.[1]
    if (whole !== undefined) {
      return Effect.succeed({
        events: Stream.succeed<AgentEvent>({ _tag: "Final", text: whole }),
        answer: () => Effect.void,
        steer: () => Effect.succeed(false)
      })
    }
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
