/**
 * `npm run chaos -- --kills N --seed S [--storage sqlite|postgres|both] [--settle key|mark|both] [--verbs kill,freeze]`:
 * kills the built gateway again and again under load and counts what its chats show. Prints one line and one JSON object
 * per run; exits 1 when anything was lost, doubled, out of order, or against the contract, 2 for a wrong command line.
 */
import { parseArgs } from "node:util"
import { Effect } from "effect"
import * as Campaign from "../test/chaos/Campaign.ts"
import * as Chaos from "../test/chaos/Chaos.ts"

const usage = (problem: string): never => {
  process.stderr.write(
    `${problem}\nusage: chaos [--kills N] [--seed S] [--storage sqlite|postgres|both] ` +
      `[--settle key|mark|both] [--verbs ${Chaos.verbs.join(",")}] [--chats N] [--think MS] [--quiet]\n`
  )
  process.exit(2)
}

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "50" },
    seed: { type: "string", default: "1" },
    storage: { type: "string", default: "sqlite" },
    settle: { type: "string", default: "key" },
    verbs: { type: "string", default: "kill,cutSocket,dropResult" },
    chats: { type: "string", default: "40" },
    think: { type: "string", default: "120" },
    quiet: { type: "boolean", default: false }
  }
})

const count = (name: "kills" | "seed" | "chats" | "think"): number =>
  /^\d{1,9}$/.test(values[name]) ? Number(values[name]) : usage(`--${name} wants a whole number`)

const choices = <A extends string>(name: "storage" | "settle", all: ReadonlyArray<A>): ReadonlyArray<A> => {
  if (values[name] === "both") return all
  const one = all.find((choice) => choice === values[name])
  return one === undefined ? usage(`--${name} wants ${all.join(", ")} or both`) : [one]
}

const verbs = values.verbs
  .split(",")
  .map((name) => Chaos.verbs.find((verb) => verb === name) ?? usage(`unknown verb ${name}`))

const progress = (cycle: number, load: { readonly sent: number; readonly unanswered: number }) => {
  if (!values.quiet && cycle % 10 === 0) {
    process.stderr.write(`  ${cycle} of ${values.kills}: ${load.sent} messages, ${load.unanswered} unanswered\n`)
  }
}

const program = Effect.gen(function* () {
  let ok = true
  for (const storage of choices("storage", ["sqlite", "postgres"] as const)) {
    for (const settle of choices("settle", ["key", "mark"] as const)) {
      const report = yield* Campaign.run({
        storage,
        settle,
        verbs,
        kills: count("kills"),
        seed: count("seed"),
        chats: count("chats"),
        think: count("think"),
        onCycle: progress
      })
      ok &&= report.ok
      process.stdout.write(`${Chaos.summary(report)}\n${JSON.stringify(report)}\n`)
    }
  }
  return ok
})

process.exit(
  await Effect.runPromise(
    program.pipe(
      Effect.map((ok) => (ok ? 0 : 1)),
      Effect.catch((error) =>
        Effect.sync(() => {
          process.stderr.write(`${error.message}\n`)
          return 1
        })
      )
    )
  )
)
