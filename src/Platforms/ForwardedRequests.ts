/**
 * Webhook requests that a connector has answered already and hands on (`relay P4`): the adapter of their platform says
 * which messages they hold. Who hands on stores those and acknowledges; an adapter only reads.
 */
import { Context, Effect, type Scope } from "effect"
import type { Inbound } from "../Session/Intake.ts"

export interface ForwardedRequest {
  readonly platform: string
  readonly botId: string
  readonly method: string
  readonly path: string
  /** In order of arrival; names may repeat. */
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>
  /** Exactly the bytes that came. */
  readonly body: Uint8Array
}

/**
 * The messages of a request, none for one that holds none (a status report). It must not wait for the network: what takes
 * longer than 10 s, or dies, is kept as a dead row. Their `link` is the adapter's own, so that answers leave by it.
 */
export type Handler = (request: ForwardedRequest) => Effect.Effect<ReadonlyArray<Inbound>>

export class ForwardedRequests extends Context.Service<
  ForwardedRequests,
  {
    /** Takes the platform's requests until the scope closes; the last to register counts. */
    readonly register: (platform: string, handler: Handler) => Effect.Effect<void, never, Scope.Scope>
    readonly handlerOf: (platform: string) => Handler | null
  }
>()("Platforms/ForwardedRequests") {
  static readonly make = Effect.sync((): ForwardedRequests["Service"] => {
    const handlers = new Map<string, Handler>()
    return {
      register: (platform, handler) =>
        Effect.asVoid(
          Effect.acquireRelease(
            Effect.sync(() => handlers.set(platform, handler)),
            () =>
              Effect.sync(() => {
                if (handlers.get(platform) === handler) handlers.delete(platform)
              })
          )
        ),
      handlerOf: (platform) => handlers.get(platform) ?? null
    }
  })
}
