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

/** Looks every 5 seconds. `settings` are all that the program knows. */
export const layer = (settings: ReadonlyArray<Setting<unknown>>): Layer.Layer<never, never, Settings> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const service = yield* Settings
      const paths = [...configFiles(service.home, OVERLAY).map(({ path }) => path), join(service.home, ".env")]
      let seen = fingerprint(paths)
      const look = Effect.gen(function* () {
        const now = fingerprint(paths)
        if (now === seen) return
        seen = now
        yield* Effect.matchEffect(service.reload(settings), {
          onFailure: (error) =>
            Effect.logError("the changed configuration is refused, the old one stays", error.message),
          onSuccess: () => {
            const waiting = service.restartNeeded(settings)
            return waiting.length === 0
              ? Effect.logInfo("configuration read anew")
              : Effect.logWarning(`configuration read anew, restart needed for: ${waiting.join(", ")}`)
          }
        })
      })
      yield* Effect.forkScoped(Effect.repeat(look, Schedule.spaced("5 seconds")))
    })
  )
