/**
 * One gateway under judgement and the connector that the kit plays towards it, with the steps that checks share. A stage
 * belongs to one check at a time.
 */
import { Effect, Scope } from "effect"
import { type CheckFailed, type CheckSkipped, expect, promptly, skip, until } from "./Check.ts"
import * as KitConnector from "./KitConnector.ts"
import type { Running, Subject } from "./Subject.ts"

/** What the contract counts in seconds (`relay H3`, `O1`, `C3`). */
export const timings = { ping: 20, pong: 20, answer: 30, handshake: 30 } as const

export interface GatewayOptions {
  readonly subject: Subject
  /** The agent answers a text with that text. */
  readonly expectEcho: boolean
}

export interface StageOptions {
  readonly identities?: ReadonlyArray<KitConnector.Identity>
  readonly script?: Partial<KitConnector.Script>
}

export const secret = "conformance-secret"
export const gatewayId = "gw-conformance:with-colon"

/** What the kit tells a gateway through its environment. */
const environment = (connector: KitConnector.KitConnector): Record<string, string> => {
  const { identities } = connector
  const [first] = identities
  return {
    GATEWAY_RELAY_URL: connector.url,
    GATEWAY_RELAY_ID: gatewayId,
    GATEWAY_RELAY_SECRET: secret,
    GATEWAY_RELAY_PLATFORM: first!.platform,
    GATEWAY_RELAY_BOT_ID: first!.botId,
    SWITCHBOARD_GATEWAY_BUSY_INPUT_MODE: "queue",
    ...(identities.length === 1
      ? {}
      : {
          GATEWAY_RELAY_PLATFORMS: identities.map(({ platform }) => platform).join(","),
          GATEWAY_RELAY_BOT_IDS: JSON.stringify(
            Object.fromEntries(identities.map(({ botId, platform }) => [platform, { botId }]))
          )
        })
  }
}

type Step<A = void> = Effect.Effect<A, CheckFailed | CheckSkipped>

export interface GatewayStage {
  readonly connector: KitConnector.KitConnector
  readonly running: () => Running
  /** Another process on the same home. */
  readonly start: Effect.Effect<void>
  /** Starts it when it does not run, and waits for its handshake. */
  readonly ready: Step
  /** Skips where the agent does not echo. */
  readonly echo: Step
  readonly acknowledged: (bufferId: string, times?: number) => Step
  readonly shows: (chatId: string, text: string, seconds?: number) => Step
  /** Delivers a text and waits until it was answered; what its chat owed before has been said then. */
  readonly answers: (chatId: string, text: string) => Step
  /** Cuts the connection without a word, and waits for the next handshake. */
  readonly cut: Step
}

/** A new process may take so long to dial. */
const starting = 45

export const make = Effect.fnUntraced(function* (
  options: GatewayOptions,
  { identities = [{ platform: "relay", botId: "" }], script = {} }: StageOptions
): Effect.fn.Return<GatewayStage, never, Scope.Scope> {
  const scope = yield* Effect.scope
  const connector = yield* KitConnector.make(identities)
  Object.assign(connector.script, script)
  const { expectEcho, subject } = options
  const home = yield* subject.home
  const start = Effect.suspend(() => subject.start(home, environment(connector))).pipe(Scope.provide(scope))
  let running = yield* start
  const again = Effect.map(start, (next) => {
    running = next
  })
  const handshake = (seconds: number, before = 0) =>
    until("the handshake", () => connector.isReady && connector.links.length > before, {
      seconds,
      seen: () =>
        `${connector.dials.length} dials, exit ${String(running.exited())}, last words: ${running.lastWords()}`
    })
  const shows: GatewayStage["shows"] = (chatId, text, seconds = promptly) =>
    until(`an answer with "${text}"`, () => connector.count(chatId, text) > 0, {
      seconds,
      seen: () => JSON.stringify(connector.texts(chatId).slice(-3))
    })
  return {
    connector,
    running: () => running,
    start: again,
    ready: Effect.suspend(() =>
      running.exited() === undefined ? handshake(starting) : Effect.andThen(again, handshake(starting))
    ),
    echo: expectEcho ? Effect.void : skip("it needs an agent that echoes (--expect-echo)"),
    acknowledged: (bufferId, times = 1) =>
      until(`inbound_ack of ${bufferId}`, () => connector.acknowledgements(bufferId) >= times, {
        seen: () => `${connector.acks.length} acknowledged in all, ${connector.links.length} connections`
      }),
    shows,
    answers: (chatId, text) =>
      expectEcho
        ? Effect.suspend(() => {
            connector.deliver(chatId, text)
            return shows(chatId, text)
          })
        : skip("it needs an agent that echoes (--expect-echo)"),
    cut: Effect.suspend(() => {
      const before = connector.links.length
      connector.link?.socket.terminate()
      return handshake(starting, before)
    })
  }
})

/** One message that is shown once, no more and no less. */
export const once = (stage: GatewayStage, chatId: string, text: string) =>
  expect(
    stage.connector.count(chatId, text) === 1,
    () =>
      `"${text}" is shown ${stage.connector.count(chatId, text)} times: ${JSON.stringify(stage.connector.texts(chatId).slice(-4))}`
  )
