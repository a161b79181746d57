/**
 * The database as one-shot commands see it, beside a gateway that may be running: opened for the command, neither
 * claimed nor migrated. With `memory` storage there is nothing to see from outside.
 */
import { existsSync } from "node:fs"
import { Effect, Layer } from "effect"
import { Storage } from "../Config/GatewaySettings.ts"
import { Settings } from "../Config/Settings.ts"
import { paths } from "../Operations/Home.ts"
import { Database } from "../Storage/Database.ts"
import { CommandFailed, exitCode } from "./Exit.ts"
import * as Globals from "./Globals.ts"

/** `whenMissing`: what a home that has no database yet is taken for. */
export const shared = (whenMissing: "empty" | "created") =>
  Layer.unwrap(
    Effect.gen(function* () {
      const settings = yield* Settings
      const choice = yield* settings.get(Storage)
      if (choice._tag === "memory") {
        return yield* new CommandFailed({
          code: exitCode.defect,
          message:
            "SWITCHBOARD_STORAGE is memory: inbox and outbox live in the gateway's process alone and cannot be reached"
        })
      }
      const filename = paths(settings.home).database
      const isMissing = choice._tag === "sqlite" && !existsSync(filename)
      if (isMissing && whenMissing === "empty") return Database.layer({ storage: "memory", filename })
      return Database.layer({
        storage: choice._tag === "postgres" ? { url: choice.url } : choice._tag,
        filename,
        claim: isMissing ? "exclusive" : "none"
      })
    })
  )

/** Settings, a log on standard error, and the database. */
export const command = shared("empty").pipe(Layer.provideMerge(Globals.oneShot))
