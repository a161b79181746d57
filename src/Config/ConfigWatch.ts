/**
 * Notices that the files of the configuration changed (`operations F10`): live settings follow, the others are named as
 * waiting for a restart. A change that does not decode is refused whole.
 */
import { statSync } from "node:fs"
import { join } from "node:path"
import { Effect, Layer, Schedule } from "effect"
import type { Setting } from "./Setting.ts"
import { Settings } from "./Settings.ts"
import { configFiles, OVERLAY } from "./Sources.ts"

const fingerprint = (paths: ReadonlyArray<string>): string =>
  paths
    .map((path) => {
      try {
        const { ino, mtimeMs, size } = statSync(path)
        return `${ino}:${mtimeMs}:${size}`
      } catch {
        return "-"
      }
    })
    .join(" ")

/** Two looks make a change: a file that is being written is not read half. Noticed within 5 s (`operations F10`). */
const lookEvery = "2 seconds"

/** `settings` are all that the program knows. */
export const layer = (settings: ReadonlyArray<Setting<unknown>>): Layer.Layer<never, never, Settings> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const service = yield* Settings
      const paths = [...configFiles(service.home, OVERLAY).map(({ path }) => path), join(service.home, ".env")]
      let read = fingerprint(paths)
      let seen = read
      const reload = Effect.matchEffect(service.reload(settings), {
        onFailure: (error) => Effect.logError("the changed configuration is refused, the old one stays", error.message),
        onSuccess: () =>
          Effect.suspend(() => {
            const waiting = service.restartNeeded(settings)
            return Effect.andThen(
              service.report(settings),
              waiting.length === 0
                ? Effect.logInfo("configuration read anew")
                : Effect.logWarning(`configuration read anew, restart needed for: ${waiting.join(", ")}`)
            )
          })
      })
      const look = Effect.suspend(() => {
        const now = fingerprint(paths)
        const isWhole = now === seen
        seen = now
        if (now === read || !isWhole) return Effect.void
        read = now
        return reload
      })
      yield* Effect.forkScoped(Effect.repeat(look, Schedule.spaced(lookEvery)))
    })
  )
