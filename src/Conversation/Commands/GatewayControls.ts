/**
 * What commands may do to the gateway itself. The rooms that can are above this one, so they hand it in when they are up
 * (`provide`); until then a command says that it is not possible here. Nothing is done here.
 */
import { Context, Effect, Layer, type Scope } from "effect"
import type { InboxRow } from "../../Storage/Inbox.ts"

export interface PlatformLine {
  readonly name: string
  readonly label: string
  readonly status: string
  readonly detail: string | null
  readonly tries: number
  /** Name of its link; `null` while it does not run. */
  readonly link: string | null
  /** Why it is paused; `null` = it is not. */
  readonly paused: string | null
}

export interface RunningTurn {
  readonly sessionKey: string
  readonly sessionId: string | null
  readonly row: InboxRow
  readonly isStopping: boolean
}

export interface Controls {
  readonly version: string
  readonly platforms: () => ReadonlyArray<PlatformLine>
  /** `false`: there is no such platform. */
  readonly pause: (platform: string, reason: string) => Effect.Effect<boolean>
  readonly resume: (platform: string) => Effect.Effect<boolean>
  /** Oldest first. */
  readonly turns: () => ReadonlyArray<RunningTurn>
  /** Begins the end after which this program starts again (`conversation D1`); `false`: that is under way already. */
  readonly restart: (asker: InboxRow) => Effect.Effect<boolean>
}

export class GatewayControls extends Context.Service<
  GatewayControls,
  {
    /** Takes them over until the scope closes. */
    readonly provide: (controls: Partial<Controls>) => Effect.Effect<void, never, Scope.Scope>
    readonly get: <K extends keyof Controls>(name: K) => Controls[K] | null
  }
>()("Conversation/GatewayControls") {
  static readonly layer = Layer.sync(GatewayControls, () => {
    let given: Partial<Controls> = {}
    return {
      provide: (controls) =>
        Effect.asVoid(
          Effect.acquireRelease(
            Effect.sync(() => {
              given = { ...given, ...controls }
            }),
            () =>
              Effect.sync(() => {
                const left = { ...given }
                for (const name of Object.keys(controls) as Array<keyof Controls>) {
                  if (left[name] === controls[name]) delete left[name]
                }
                given = left
              })
          )
        ),
      get: (name) => given[name] ?? null
    }
  })
}
