/**
 * The gateway's core in this process with an adapter that answers at once: what sessions and turns cost by themselves,
 * without socket or second process. For benchmarks only.
 */
import { Effect, Layer, SubscriptionRef } from "effect"
import type { Agent } from "../src/Agent/Agent.ts"
import * as Echo from "../src/Agent/Echo.ts"
import { Settings } from "../src/Config/Settings.ts"
import { coreOf } from "../src/Gateway.ts"
import * as MessageEvent from "../src/Message/MessageEvent.ts"
import * as Source from "../src/Message/Source.ts"
import type { Adapter, AdapterState, Registration } from "../src/Platforms/Adapter.ts"
import { Registry } from "../src/Platforms/Registry.ts"
import { type Inbound, Intake } from "../src/Session/Intake.ts"
import { Lanes } from "../src/Session/Lanes.ts"
import { Database } from "../src/Storage/Database.ts"
import { Journal } from "../src/Storage/Journal.ts"

export interface Loopback {
  readonly take: Intake["Service"]["take"]
  /** Called for every message that is sent. */
  onSend: (chatId: string) => void
  /** Called for every text that a chat shows, sent or edited. */
  onShown: (chatId: string, text: string) => void
}

const state: AdapterState = { status: "connected", detail: null, lastIn: 0, lastOut: 0, reconnects: 0 }

interface Holder extends Pick<Loopback, "onSend" | "onShown"> {
  take: Intake["Service"]["take"] | null
}

const registration = (loopback: Holder, edit: boolean): Registration => ({
  name: "relay",
  label: "Loopback",
  make: Effect.gen(function* () {
    loopback.take = (yield* Intake).take
    const adapter: Adapter = {
      platform: "relay",
      label: "Loopback",
      state: yield* SubscriptionRef.make(state),
      drain: Effect.void,
      outlet: {
        link: "relay:",
        isUp: () => true,
        awaitUp: Effect.void,
        settle: () => "key",
        capabilities: () => ({
          maxLength: 4096,
          lengthUnit: "utf16",
          dialect: "plain",
          edit,
          typing: false,
          streaming: edit,
          settle: "key"
        }),
        send: ({ target, text }) =>
          Effect.callback((resume) => {
            setImmediate(() => {
              resume(Effect.succeed({ messageId: "1" }))
              loopback.onSend(target.chatId)
              loopback.onShown(target.chatId, text)
            })
          }),
        edit: ({ target, text }) => Effect.sync(() => loopback.onShown(target.chatId, text)),
        typing: () => Effect.void
      }
    }
    return adapter
  })
})

/** Builds the core over the given storage; ends with the scope. */
export const make = Effect.fnUntraced(function* (
  storage: "memory" | { readonly file: string },
  /** Its answers are shown while they grow. */
  streaming?: Layer.Layer<Agent>
) {
  const holder: Holder = { onSend: () => {}, onShown: () => {}, take: null }
  const context = yield* Layer.build(
    coreOf({ lanes: Lanes.layerLocal, journal: Journal.layer }).pipe(
      Layer.provide(Registry.layer([registration(holder, streaming !== undefined)])),
      Layer.provide(streaming ?? Echo.layer),
      Layer.provideMerge(
        Database.layer(storage === "memory" ? { storage, filename: "" } : { storage: "sqlite", filename: storage.file })
      ),
      Layer.provide(Settings.layerFrom({}))
    )
  )
  yield* Effect.sleep("100 millis")
  const loopback: Loopback = {
    take: (batch) => holder.take!(batch),
    get onSend() {
      return holder.onSend
    },
    set onSend(f) {
      holder.onSend = f
    },
    get onShown() {
      return holder.onShown
    },
    set onShown(f) {
      holder.onShown = f
    }
  }
  return { loopback, context }
})

export const inbound = (chatId: string, n: number, text = "hello"): Inbound => ({
  event: MessageEvent.text(Source.make({ platform: "relay", chatId, userId: "u" }), text, `${chatId}-${n}`),
  provenance: { viaRelay: true, isBot: null, roleAuthorized: false },
  link: "relay:",
  bufferId: `${chatId}-${n}`
})

/** Runs `turns` echo turns over the given chats, each chat sending its next message when it has its answer; turns per second. */
export const drive = Effect.fnUntraced(function* (
  loopback: Loopback,
  chats: ReadonlyArray<string>,
  turns: number,
  first: number
) {
  let done = 0
  const ready: Array<string> = [...chats]
  const count = new Map<string, number>()
  loopback.onSend = (chatId) => {
    done++
    ready.push(chatId)
  }
  const started = performance.now()
  let sent = 0
  while (done < turns) {
    const batch = ready.splice(0, Math.min(512, turns - sent))
    if (batch.length === 0) {
      yield* Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))
      continue
    }
    sent += batch.length
    yield* loopback.take(
      batch.map((chatId) => {
        const n = (count.get(chatId) ?? first) + 1
        count.set(chatId, n)
        return inbound(chatId, n)
      })
    )
  }
  return turns / ((performance.now() - started) / 1000)
})
