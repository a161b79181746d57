/**
 * Lines for a reader that must survive anything: the corpus of `test/Relay/corpus/`, mutated by seeded bit flips, cuts,
 * splices, huge numbers, deep nesting, lone surrogates. The same seed gives the same lines.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { type Random, seeded } from "./Random.ts"

/** One line each; every one of them was interesting once, or is a frame of its type. */
export const corpus: ReadonlyArray<Buffer> = readFileSync(
  join(import.meta.dirname, "..", "Relay", "corpus", "lines.txt"),
  "utf8"
)
  .split("\n")
  .filter((line) => line !== "")
  .map((line) => Buffer.from(line))

const numbers = ["1e999", "-1e999", "9007199254740993", "-0", "1e-400", "0x10", "NaN", "9".repeat(400)]
const texts = ['"\\ud800"', '"\\udfff\\ud800"', '"\\u0000"', '"__proto__"', '""', '"\\"', "null", "true", "[]", "{}"]
const longestNest = 3000

type Mutation = (line: Buffer, random: Random) => Buffer

const at = (line: Buffer, random: Random) => random.below(Math.max(1, line.length))

/** Puts a token in place of a random JSON value. */
const replaceValue = (line: Buffer, random: Random, token: string): Buffer => {
  const text = line.toString("latin1")
  const colon = text.indexOf(":", at(line, random))
  if (colon < 0) return Buffer.from(token)
  const rest = text.slice(colon + 1).replace(/^(?:"(?:[^"\\]|\\.)*"|[^,}\]]+)/, token)
  return Buffer.from(text.slice(0, colon + 1) + rest, "latin1")
}

const mutations: ReadonlyArray<Mutation> = [
  (line) => line,
  (line, random) => {
    const flipped = Buffer.from(line)
    for (let n = random.below(4); n >= 0; n--) flipped[at(line, random)]! ^= 1 << random.below(8)
    return flipped
  },
  (line, random) => line.subarray(0, at(line, random)),
  (line, random) => line.subarray(at(line, random)),
  (line, random) => Buffer.concat([line.subarray(0, at(line, random)), random.pick(corpus).subarray(at(line, random))]),
  (line, random) => {
    const from = at(line, random)
    return Buffer.concat([line.subarray(0, from), line.subarray(from, from + 20), line.subarray(from)])
  },
  (line, random) => replaceValue(line, random, random.pick(numbers)),
  (line, random) => replaceValue(line, random, random.pick(texts)),
  (line, random) => {
    const depth = random.below(longestNest)
    return replaceValue(line, random, random.next() < 0.5 ? "[".repeat(depth) : "[".repeat(depth) + "]".repeat(depth))
  },
  (line, random) => {
    const from = at(line, random)
    const bytes = Buffer.from([random.below(256), 0xff, 0xed, 0xa0, 0x80].slice(0, 1 + random.below(5)))
    return Buffer.concat([line.subarray(0, from), bytes, line.subarray(from)])
  }
]

/** An endless supply. A mutant may hold newlines of its own. */
export const make = (seed: number): (() => Buffer) => {
  const random = seeded(seed)
  return () => {
    let line = random.pick(mutations)(random.pick(corpus), random)
    if (random.next() < 0.3) line = random.pick(mutations)(line, random)
    return line
  }
}
