/**
 * Runs vector files against the table of topics. A case passes when ours equals the output, or rejects where the
 * reference failed; one named `lenient:` may also be rejected; a topic that is not in the table is never counted as passed.
 */
import { readdirSync, readFileSync } from "node:fs"
import path from "node:path"
import { isDeepStrictEqual } from "node:util"
import { isObject, type JsonObject, Rejected, type Outcome, type Topic } from "./Topic.ts"

interface Case {
  readonly name: string
  readonly in: unknown
  readonly out: unknown
}

export interface Report {
  readonly topic: string
  readonly implemented: boolean
  readonly cases: number
  readonly passed: number
  /** Named `lenient:`, and rejected by ours. */
  readonly lenient: number
  /** Compared in what both share, by statement. */
  readonly different: ReadonlyMap<string, ReadonlyArray<string>>
  readonly failures: ReadonlyArray<{ readonly name: string; readonly why: string }>
}

/** Deep equality, in which a `Rejected` equals `{"error"}` and nothing else. */
export const matches = (output: unknown, expected: unknown): boolean => {
  if (isObject(expected) && "error" in expected) return output instanceof Rejected
  if (output instanceof Rejected) return false
  if (Array.isArray(expected)) {
    return (
      Array.isArray(output) && output.length === expected.length && expected.every((one, i) => matches(output[i], one))
    )
  }
  if (!isObject(expected)) return isDeepStrictEqual(output, expected)
  if (!isObject(output)) return false
  const keys = Object.keys(expected)
  return Object.keys(output).length === keys.length && keys.every((key) => matches(output[key], expected[key]))
}

type Verdict =
  | { readonly _tag: "passed" }
  | { readonly _tag: "lenient" }
  | { readonly _tag: "different"; readonly statement: string }
  | { readonly _tag: "failed"; readonly why: string }

const show = (value: unknown): string =>
  (value instanceof Rejected ? `rejected (${value.reason})` : (JSON.stringify(value) ?? "undefined")).slice(0, 300)

const judge = (topic: Topic, { in: given, name, out }: Case): Verdict => {
  let outcome: Outcome
  try {
    outcome = topic.run(given)
  } catch (error) {
    return { _tag: "failed", why: `crashed: ${error instanceof Error ? error.message : String(error)}` }
  }
  const { output, refused } = outcome
  if (matches(output, out)) return { _tag: "passed" }
  if (topic.hasParts === true && isObject(output) && isObject(out) && matches(partOf(output, out), out)) {
    return { _tag: "passed" }
  }
  if (refused !== undefined && isObject(out) && "error" in out) return { _tag: "passed" }
  const isRejected = output instanceof Rejected || refused !== undefined
  if (name.startsWith("lenient:") && isRejected) return { _tag: "lenient" }
  const shared = topic.shared?.(given, output, out) ?? null
  if (shared !== null && matches(shared.output, shared.expected)) {
    return { _tag: "different", statement: shared.statement }
  }
  return { _tag: "failed", why: `expected ${show(out)}, got ${show(output)}` }
}

/** What a case names, and nothing else; a name that ours does not have stays missing. */
const partOf = (output: JsonObject, named: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(output).filter(([name]) => Object.hasOwn(named, name)))

const broken = (topic: string, why: string): Report => ({
  topic,
  implemented: true,
  cases: 0,
  passed: 0,
  lenient: 0,
  different: new Map(),
  failures: [{ name: "(file)", why }]
})

const isCase = (value: unknown): value is Case =>
  isObject(value) && typeof value.name === "string" && "in" in value && "out" in value

/** `file` is one vector file: `{topic, cases: [{name, in, out}]}`. */
export const runFile = (file: string, topics: Readonly<Record<string, Topic>>): Report => {
  const name = path.basename(file, ".json")
  let content: unknown
  try {
    content = JSON.parse(readFileSync(file, "utf8"))
  } catch (error) {
    return broken(name, `cannot be read: ${error instanceof Error ? error.message : String(error)}`)
  }
  if (!isObject(content) || !Array.isArray(content.cases) || !content.cases.every(isCase)) {
    return broken(name, "holds no cases {name, in, out}")
  }
  const topicName = typeof content.topic === "string" ? content.topic : name
  const cases: ReadonlyArray<Case> = content.cases
  const topic = Object.hasOwn(topics, topicName) ? topics[topicName] : undefined
  if (topic === undefined) return { ...broken(topicName, ""), implemented: false, cases: cases.length, failures: [] }
  let passed = 0
  let lenient = 0
  const different = new Map<string, Array<string>>()
  const failures: Array<{ readonly name: string; readonly why: string }> = []
  for (const one of cases) {
    const verdict = judge(topic, one)
    if (verdict._tag === "passed") passed++
    else if (verdict._tag === "lenient") lenient++
    else if (verdict._tag === "failed") failures.push({ name: one.name, why: verdict.why })
    else different.set(verdict.statement, [...(different.get(verdict.statement) ?? []), one.name])
  }
  return { topic: topicName, implemented: true, cases: cases.length, passed, lenient, different, failures }
}

/** Every `.json` file of the folder, by name. */
export const runFolder = (folder: string, topics: Readonly<Record<string, Topic>>): ReadonlyArray<Report> =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".json"))
    .toSorted()
    .map((name) => runFile(path.join(folder, name), topics))

const countOf = (different: Report["different"]): number =>
  [...different.values()].reduce((sum, names) => sum + names.length, 0)

/** The report as lines for people. */
export const describe = (reports: ReadonlyArray<Report>): ReadonlyArray<string> => {
  const row = (cells: ReadonlyArray<string | number>) =>
    `${String(cells[0]).padEnd(28)}${cells
      .slice(1)
      .map((cell) => String(cell).padStart(11))
      .join("")}`
  const lines = [row(["topic", "cases", "passed", "failed", "lenient", "different"])]
  for (const { cases, different, failures, implemented, lenient, passed, topic } of reports) {
    lines.push(
      implemented
        ? row([topic, cases, passed, failures.length, lenient, countOf(different)])
        : `${row([topic, cases])}  not implemented`
    )
  }
  for (const { different, topic } of reports) {
    for (const [statement, names] of different) {
      lines.push("", `${topic}: ours is declared different by ${statement}, the rest agrees:`)
      lines.push(...names.map((name) => `  ${name}`))
    }
  }
  for (const { failures, topic } of reports) {
    for (const { name, why } of failures) lines.push("", `FAILED ${topic}: ${name}`, `  ${why}`)
  }
  return lines
}
