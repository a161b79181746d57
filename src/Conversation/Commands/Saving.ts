/**
 * Commands that change the configuration for all (`commands`, class c): one key of `config.yaml`, its comments and order
 * kept. What the environment sets is not changed behind its back. The file is watched, so live settings follow by themselves.
 */
import { join } from "node:path"
import { Effect } from "effect"
import { edit, withKey } from "../../Config/FileEdit.ts"
import type { Setting } from "../../Config/Setting.ts"
import { Settings } from "../../Config/Settings.ts"
import * as Said from "./CommandTexts.ts"

/** Origins that the file does not win over (`operations F1`). */
const isFixed = (origin: string): boolean =>
  origin !== "default" && origin !== "given" && !/^config\.ya?ml/.test(origin)

/** Gives the answer: `done`, or why nothing was changed. */
export const save = Effect.fnUntraced(function* (setting: Setting<unknown>, value: unknown, done: string) {
  const settings = yield* Settings
  const { origin } = settings.explain(setting)
  const key = setting.key ?? ""
  if (isFixed(origin)) return Said.configuration.overridden(key, origin)
  return yield* edit(join(settings.home, "config.yaml"), (content) => withKey(content, key.split("."), value)).pipe(
    Effect.as(done + (setting.live ? "" : Said.configuration.restartNeeded)),
    Effect.catch((error) =>
      Effect.as(
        Effect.logWarning("a command could not change the configuration", { key, error: error.message }),
        Said.configuration.notSaved(
          error.reason === "Unreadable" ? "it is not readable as YAML" : "it cannot be written"
        )
      )
    )
  )
})
