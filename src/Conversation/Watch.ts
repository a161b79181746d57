/**
 * Looks after turns that take long (`conversation L1`–L4): says that they still work, warns when their agent has gone quiet,
 * and stops it when it stays so. One look at all turns now and then, no timer per turn; it never ends a turn itself.
 */
import { Clock, Context, Duration, Effect, type Fiber, Layer, Schedule, type Scope } from "effect"
import { AgentGatewayTimeout, AgentGatewayTimeoutWarning, AgentNotifyInterval } from "../Config/GatewaySettings.ts"
import { Settings } from "../Config/Settings.ts"
import { Prompts } from "./Prompts.ts"
import type { Run } from "./Run.ts"
import * as Texts from "./Texts.ts"
import { Voice } from "./Voice.ts"

const every = Duration.seconds(30)
/** A heartbeat or warning that takes longer is left to the next look. */
const patience = Duration.seconds(10)

interface Watched {
  readonly run: Run
  readonly fiber: Fiber.Fiber<unknown, unknown>
  readonly startedAt: number
  beats: number
  /** The heartbeat that is on the screen; it is edited in place where the platform can. */
  messageId: string | null
  warned: boolean
}

export class Watch extends Context.Service<
  Watch,
  {
    /** Looks after the calling fiber's agent until the scope closes. */
    readonly during: (run: Run) => Effect.Effect<void, never, Scope.Scope>
  }
>()("Conversation/Watch") {
  static readonly layer = Layer.effect(
    Watch,
    Effect.gen(function* () {
      const prompts = yield* Prompts
      const voice = yield* Voice
      const clock = yield* Clock.Clock
      const settings = yield* Settings
      const limit = Duration.toMillis(yield* settings.get(AgentGatewayTimeout))
      const warning = Duration.toMillis(yield* settings.get(AgentGatewayTimeoutWarning))
      const interval = Duration.toMillis(yield* settings.get(AgentNotifyInterval))
      const watched = new Set<Watched>()

      /** Chrome: shown past the Outbox, under a key of its own, and not missed when it fails. */
      const beat = Effect.fnUntraced(function* (entry: Watched, now: number) {
        const { run } = entry
        const { capabilities, outlet, target } = run
        const text = Texts.stillWorking(minutes(now - entry.startedAt), run.tool)
        const n = entry.beats++
        const [row] = voice.rows(run, { kind: "tool", cause: `${run.cause}:alive:${run.turn.row.starts}:${n}`, text })
        if (outlet === null || !outlet.isUp() || row === undefined) return
        const { key } = row
        if (entry.messageId !== null && capabilities.edit) {
          return yield* outlet.edit({ key, target, messageId: entry.messageId, text, final: false })
        }
        const sent = yield* outlet.send({ key, target, text, replyTo: null, notify: false, expectEdits: true })
        entry.messageId = sent.messageId
      })

      const warn = ({ run }: Watched, idle: number) =>
        voice.say(run, {
          kind: "notice",
          cause: `${run.cause}:quiet:${run.turn.row.starts}`,
          text: Texts.goneQuiet(minutes(idle), limit > 0 ? minutes(limit - idle) : null),
          notify: false
        })

      const look = Effect.suspend(() => {
        const now = clock.currentTimeMillisUnsafe()
        const acts: Array<Effect.Effect<void>> = []
        for (const entry of watched) {
          const { run } = entry
          // One that waits for its user is active (`conversation A7`).
          if (prompts.of(run.turn.sessionKey).length > 0) continue
          const idle = now - run.lastActive
          if (limit > 0 && idle >= limit) {
            run.isStuck = true
            entry.fiber.interruptUnsafe()
          } else if (warning > 0 && idle >= warning && !entry.warned) {
            entry.warned = true
            acts.push(quietly(warn(entry, idle)))
          } else if (interval > 0 && now - entry.startedAt >= interval * (entry.beats + 1)) {
            acts.push(quietly(beat(entry, now)))
          }
        }
        return Effect.forEach(acts, (act) => act, { discard: true, concurrency: 16 })
      })
      if (limit > 0 || warning > 0 || interval > 0) {
        yield* Effect.forkScoped(Effect.schedule(look, Schedule.spaced(every)))
      }

      return {
        during: (run) =>
          Effect.asVoid(
            Effect.acquireRelease(
              Effect.withFiber((fiber) => {
                const startedAt = clock.currentTimeMillisUnsafe()
                run.lastActive = startedAt
                const entry: Watched = { run, fiber, startedAt, beats: 0, messageId: null, warned: false }
                watched.add(entry)
                return Effect.succeed(entry)
              }),
              (entry) => Effect.sync(() => watched.delete(entry))
            )
          )
      }
    })
  )
}

const minutes = (millis: number): number => Math.max(1, Math.round(millis / 60_000))

const quietly = (effect: Effect.Effect<unknown, { readonly message: string }>): Effect.Effect<void> =>
  effect.pipe(
    Effect.timeoutOption(patience),
    Effect.catch((error) => Effect.logDebug("a sign of life was not shown", error.message)),
    Effect.asVoid
  )
