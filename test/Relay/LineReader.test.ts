import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as LineReader from "../../src/Relay/LineReader.ts"

type Line = string | LineReader.BadLine

const read = (chunks: ReadonlyArray<Uint8Array | string>, limit?: number): ReadonlyArray<Line> => {
  const reader = LineReader.make(limit)
  const out: Array<Line> = []
  for (const chunk of chunks) reader.push(chunk, out)
  return out
}

const cut = (bytes: Uint8Array, at: ReadonlyArray<number>): Array<Uint8Array> => {
  const points = [...new Set(at.map((n) => Math.abs(n) % (bytes.length + 1)))].sort((a, b) => a - b)
  return [0, ...points].map((from, index) => bytes.subarray(from, points[index] ?? bytes.length))
}

const Cuts = Schema.Array(Schema.Int)
const Bytes = Schema.Array(Schema.Int)

describe("LineReader (W1, W3)", () => {
  it("finds several lines in one message and one line in several", () => {
    assert.deepStrictEqual(read(["a\nb\nc", "d\n", "\n  \r\n", "e\n", "tail"]), ["a", "b", "cd", "e"])
  })

  it("puts a character together that is cut between two messages", () => {
    const bytes = Buffer.from("x😀é\n")
    for (let at = 0; at <= bytes.length; at++) {
      assert.deepStrictEqual(read([bytes.subarray(0, at), bytes.subarray(at)]), ["x😀é"])
    }
    assert.deepStrictEqual(read(["x\ud83d", "\ude00\n"]), ["x😀"])
  })

  it.prop(
    "gives the same lines wherever the bytes are cut",
    { texts: Schema.Array(Schema.String), at: Cuts },
    ({ at, texts }) => {
      const bytes = Buffer.from(texts.map((text) => `${text.replaceAll("\n", " ")}\n`).join(""))
      assert.deepStrictEqual(read(cut(bytes, at)), read([bytes]))
    }
  )

  it.prop("gives the same for any bytes, and never throws", { numbers: Bytes, at: Cuts }, ({ at, numbers }) => {
    const bytes = Uint8Array.from(numbers, (n) => (Math.abs(n) % 5 === 0 ? 10 : Math.abs(n) % 256))
    assert.deepStrictEqual(read(cut(bytes, at)), read([bytes]))
  })

  it.prop(
    "does not care whether text comes as string or as bytes",
    { texts: Schema.Array(Schema.String), at: Cuts },
    ({ at, texts }) => {
      const all = texts.map((text) => `${text.toWellFormed()}\n`).join("")
      const points = [...new Set(at.map((n) => Math.abs(n) % (all.length + 1)))].sort((a, b) => a - b)
      const pieces = [0, ...points].map((from, index) => all.slice(from, points[index] ?? all.length))
      assert.deepStrictEqual(read(pieces), read([Buffer.from(all)]))
    }
  )

  it("reports bad UTF-8 line by line, in bytes and in strings", () => {
    const bad = Buffer.from([0x61, 0xff, 0x0a])
    assert.deepStrictEqual(read([Buffer.concat([Buffer.from("ok\n"), bad, Buffer.from("fine\n")])]), [
      "ok",
      { reason: "InvalidUtf8", text: "a\ufffd" },
      "fine"
    ])
    const half = read(["ok\na\ud800b\nfine\n"])
    assert.deepStrictEqual(
      half.map((line) => (typeof line === "string" ? line : line.reason)),
      ["ok", "InvalidUtf8", "fine"]
    )
  })

  it("reports a line beyond the limit once, keeps little of it, and goes on after its newline", () => {
    const reader = LineReader.make(1000)
    const out: Array<Line> = []
    for (let n = 0; n < 500; n++) reader.push("x".repeat(100), out)
    assert.isAtMost(reader.heldBytes(), 1000)
    reader.push("\nnext\n", out)
    assert.strictEqual(out.length, 2)
    const [first, second] = out
    assert.isTrue(typeof first === "object" && first.reason === "TooLarge" && first.text.length <= 1024)
    assert.strictEqual(second, "next")
    assert.deepStrictEqual(read([`${"y".repeat(1000)}\n`], 1000), ["y".repeat(1000)])
    assert.deepStrictEqual(read([`${"é".repeat(501)}\nz\n`], 1000).length, 2)
    assert.isTrue(typeof read([`${"é".repeat(501)}\n`], 1000)[0] === "object")
  })

  it("takes a line of 4 MiB in single bytes", { timeout: 60_000 }, () => {
    const reader = LineReader.make()
    const out: Array<Line> = []
    const byte = Buffer.from("x")
    for (let n = 0; n < LineReader.maxLineBytes; n++) reader.push(byte, out)
    reader.push("\n", out)
    assert.strictEqual(out.length, 1)
    assert.strictEqual((out[0] as string).length, LineReader.maxLineBytes)
  })
})
