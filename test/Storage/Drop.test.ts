import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as MessageEvent from "../../src/Message/MessageEvent.ts"
import * as Source from "../../src/Message/Source.ts"
import { Database } from "../../src/Storage/Database.ts"
import { refused, taken, waitingDropped } from "../../src/Storage/Inbox.ts"
import { Journal } from "../../src/Storage/Journal.ts"

const storage = Journal.layer.pipe(Layer.provideMerge(Database.layer({ storage: "memory", filename: "" })))

layer(storage, { excludeTestServices: true })("dropping what waits", (it) => {
  it.effect("takes a row with it that was refused in the same commit", () =>
    Effect.gen(function* () {
      const journal = yield* Journal
      const database = yield* Database
      const source = Source.make({ platform: "relay", chatId: "c" })
      const row = taken({
        messageKey: "m",
        bufferKey: null,
        link: "relay:",
        sessionKey: "s",
        event: MessageEvent.text(source, "too many", "m"),
        provenance: Source.untrusted,
        takenAt: 1
      })
      const [stored] = yield* journal.commit([row])
      const id = Number(stored?.id)
      yield* journal.append([refused(id)])
      yield* journal.commit([waitingDropped("s", id + 1, 2, "/stop")])
      assert.deepStrictEqual(
        (yield* database.execute("SELECT state, note FROM inbox", [])).map(({ note, state }) => [state, note]),
        [["dropped", "/stop"]]
      )
    })
  )
})
