import { assert, describe, it } from "@effect/vitest"
import * as MessageEvent from "../../src/Message/MessageEvent.ts"
import * as Source from "../../src/Message/Source.ts"
import { merge, takeFirst } from "../../src/Session/PendingMerge.ts"
import type { InboxRow } from "../../src/Storage/Inbox.ts"
import { seeded } from "../support/Random.ts"
import { vectors } from "../support/Vectors.ts"
import { rowOf } from "./DeciderModel.ts"

interface Wire {
  readonly text: string
  readonly message_type: MessageEvent.MessageType
  readonly media_urls: ReadonlyArray<string>
  readonly media_types: ReadonlyArray<string>
}

const fromWire = (wire: Wire): MessageEvent.MessageEvent => ({
  ...MessageEvent.text(Source.make({ platform: "test", chatId: "1" }), wire.text),
  type: wire.message_type,
  media: wire.media_urls.map((ref, i) => ({
    ref,
    kind: "image",
    mime: wire.media_types[i] ?? null,
    size: null,
    filename: null,
    caption: null
  }))
})

const toWire = (event: MessageEvent.MessageEvent): Wire => ({
  text: event.text,
  message_type: event.type,
  media_urls: event.media.map(({ ref }) => ref),
  media_types: event.media.map(({ mime }) => mime ?? "")
})

const typing = { quiet: 350, cap: 1000 }
const at = (id: number, takenAt: number, more: Partial<InboxRow> = {}): InboxRow => ({ ...rowOf(id), takenAt, ...more })
const photo = (id: number, text = ""): InboxRow => {
  const row = rowOf(id, text)
  const picture = { ref: `/${id}.jpg`, kind: "image", mime: "image/jpeg", size: null, filename: null, caption: null }
  return { ...row, event: { ...row.event, type: "photo", media: [picture] } }
}
const by = (row: InboxRow, userId: string): InboxRow => ({
  ...row,
  event: { ...row.event, source: { ...row.event.source, chatType: "group", userId } }
})
const taken = (...rows: [InboxRow, ...Array<InboxRow>]) => {
  const { joined, rest, row } = takeFirst(rows, typing)
  return { text: row.event.text, id: row.id, joined: joined.map(({ id }) => id), rest: rest.map(({ id }) => id) }
}

describe("follow-ups that become one message", () => {
  for (const vector of vectors<{ events: ReadonlyArray<Wire>; merge_text: boolean }, Wire>("pending_merge")) {
    it(`vector ${vector.name}`, () => {
      const [first, ...others] = vector.in.events.map(fromWire)
      // Where ours would run both, the reference lets the newer one replace the older.
      const out = others.reduce((merged, next) => merge(merged, next, vector.in.merge_text) ?? next, first!)
      assert.deepStrictEqual(toWire(out), vector.out)
    })
  }

  it("texts that were typed in one go are one message, named after the last, with the time of the first", () => {
    const { joined, rest, row } = takeFirst([at(1, 0), at(2, 300), at(3, 600), at(4, 2000)], typing)
    assert.deepStrictEqual([row.id, row.event.messageId, row.event.text], [3, "p3", "m1\nm2\nm3"])
    assert.deepStrictEqual([joined.map(({ id }) => id), rest.map(({ id }) => id)], [[1, 2], [4]])
  })

  it("no more than the cap is joined, however fast it goes on", () => {
    assert.deepStrictEqual(taken(at(1, 0), at(2, 340), at(3, 680), at(4, 1020)).joined, [1, 2])
  })

  it("nothing typed is joined when the time for it is 0, or when it came over the relay", () => {
    assert.deepStrictEqual(takeFirst([at(1, 0), at(2, 0)], { quiet: 0, cap: 1000 }).joined, [])
    const relayed = { provenance: { ...Source.untrusted, viaRelay: true } }
    assert.deepStrictEqual(taken(at(1, 0, relayed), at(2, 0, relayed)).joined, [])
  })

  it("an album is one message with all its pictures, an equal caption once", () => {
    const { row } = takeFirst([photo(1, "sea"), photo(2, "sea"), photo(3)], typing)
    assert.deepStrictEqual(
      [row.event.text, row.event.media.map(({ ref }) => ref)],
      ["sea", ["/1.jpg", "/2.jpg", "/3.jpg"]]
    )
  })

  it("nobody's words are joined with another's", () => {
    assert.deepStrictEqual(taken(by(photo(1), "a"), by(photo(2), "b"), by(photo(3), "a")).joined, [])
  })

  it("what the gateway itself put in, and what had begun before a crash, keeps apart", () => {
    assert.deepStrictEqual(taken(photo(1), { ...photo(2), internal: "queued" }).joined, [])
    assert.deepStrictEqual(taken({ ...photo(1), starts: 1 }, photo(2)).joined, [])
    assert.deepStrictEqual(taken({ ...photo(1), starts: 1 }, { ...photo(2), starts: 1 }).joined, [1])
  })

  it("loses, repeats and reorders nothing, whatever waits", () => {
    for (let seed = 0; seed < 500; seed++) {
      const random = seeded(seed)
      let time = 0
      const rows = Array.from({ length: 1 + random.below(10) }, (_, i) => {
        time += random.below(500)
        const row = random.next() < 0.3 ? photo(i + 1, random.pick(["", "x", "y"])) : at(i + 1, time)
        return by({ ...row, takenAt: time, starts: random.below(2) }, random.pick(["a", "b"]))
      })
      const seen: Array<number> = []
      let left: ReadonlyArray<InboxRow> = rows
      while (left.length > 0) {
        const { joined, rest, row } = takeFirst([left[0]!, ...left.slice(1)], typing)
        seen.push(...joined.map(({ id }) => id), row.id)
        left = rest
      }
      assert.deepStrictEqual(
        seen,
        rows.map(({ id }) => id)
      )
    }
  })
})
