/**
 * One gateway process and one strict connector that know each other's secret: the stage of the end-to-end tests. At the
 * end of a scene the connector must have nothing to complain about.
 */
import { readdirSync, statSync } from "node:fs"
import { join } from "node:path"
import { Effect, Scope } from "effect"
import { eventually, type WaitedTooLong } from "./Eventually.ts"
import * as GatewayProcess from "./GatewayProcess.ts"
import type { Descriptor } from "./RelayContract.ts"
import * as StrictConnector from "./StrictConnector.ts"

const gatewayId = "gw-scene:with-colon"
const secret = "the secret of this scene"

export interface SceneOptions {
  readonly storage?: string
  readonly env?: Readonly<Record<string, string>>
  readonly descriptor?: Partial<Descriptor>
  readonly config?: string
}

export interface Scene {
  readonly home: string
  readonly connector: StrictConnector.StrictConnector
  /** The process that runs now. */
  readonly gateway: () => GatewayProcess.GatewayProcess
  /** Another process on the same home, which must have been left by the one before; waits for its handshake. */
  readonly restart: (
    env?: Readonly<Record<string, string>>
  ) => Effect.Effect<void, GatewayProcess.GatewayError | WaitedTooLong>
  readonly say: (chatId: string, text: string) => void
  /** Texts that a chat shows, notices of the gateway left out: what the echo agent said. */
  readonly answers: (chatId: string) => ReadonlyArray<string>
  readonly shows: (chatId: string, text: string, seconds?: number) => Effect.Effect<void, WaitedTooLong>
  /** The turn of the chat's last message runs: it was acknowledged, and the typing indicator has been shown since. */
  readonly runs: (chatId: string, since?: number) => Effect.Effect<void, WaitedTooLong>
}

/** The gateway's own texts begin with a sign; the tests' own messages never do. */
const isNotice = (text: string): boolean => /^[^\p{L}\p{N}\p{P} ]/u.test(text)

export const make = (
  options: SceneOptions = {}
): Effect.Effect<Scene, GatewayProcess.GatewayError | WaitedTooLong, Scope.Scope> =>
  Effect.gen(function* (): Effect.fn.Return<Scene, GatewayProcess.GatewayError | WaitedTooLong, Scope.Scope> {
    const scope = yield* Effect.scope
    const home = yield* GatewayProcess.makeHome
    if (options.config !== undefined) GatewayProcess.writeConfig(home, options.config)
    const connector = yield* StrictConnector.make({
      secrets: ["an older secret", secret],
      gatewayId,
      ...(options.descriptor === undefined ? {} : { descriptor: options.descriptor })
    })
    const start = (env?: Readonly<Record<string, string>>) =>
      GatewayProcess.start({
        home,
        relayUrl: connector.url,
        relayId: gatewayId,
        relaySecret: secret,
        ...(options.storage === undefined ? {} : { storage: options.storage }),
        env: { ...options.env, ...env }
      }).pipe(Scope.provide(scope))
    let gateway = yield* start()
    yield* connector
      .awaitReady(30)
      .pipe(Effect.onError(() => Effect.sync(() => process.stderr.write(gateway.stderr()))))
    const answers = (chatId: string) =>
      connector
        .chat(chatId)
        .texts()
        .filter((text) => !isNotice(text))
    return {
      home,
      connector,
      gateway: () => gateway,
      restart: (env) =>
        Effect.gen(function* () {
          gateway = yield* start(env)
          yield* connector.awaitReady(30)
        }),
      say: (chatId, text) => void connector.deliver({ chatId, text }),
      answers,
      shows: (chatId, text, seconds = 15) =>
        eventually(`${chatId} to show ${text}`, () => answers(chatId).includes(text), {
          seconds,
          seen: () => JSON.stringify(connector.chat(chatId).texts().slice(-5))
        }),
      runs: (chatId, since = 0) =>
        eventually(`the turn of ${chatId}`, () => connector.waiting === 0 && connector.chat(chatId).typing > since, {
          seconds: 15,
          seen: () => `${connector.waiting} unacknowledged, typing ${connector.chat(chatId).typing}`
        })
    }
  })

/** Bytes of everything below a folder. */
export const bytesBelow = (folder: string): number =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0)
