/**
 * The gateway rests while a file of its home asks for it (`operations X8`, `conversation D9`): no new turns, running ones
 * end, messages are kept and run when the file is gone. It never begins or ends a stop.
 */
import { readFileSync, statSync } from "node:fs"
import { Clock, Duration, Effect, Layer, Schedule } from "effect"
import { Settings } from "../Config/Settings.ts"
import { paths } from "./Home.ts"
import { readJson } from "./JsonFile.ts"
import { Lifecycle } from "./Lifecycle.ts"

const every = Duration.seconds(1)
/** A request that nobody renews by writing it again is void after this time. */
const lifetime = Duration.toMillis("3600 seconds")

const read = (path: string): string | null => {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return null
  }
}

/** Boot id and start time of process 1: it survives a restart of the gateway, not of the machine. `null` = cannot be told. */
const epoch = (): string | null => {
  const boot = read("/proc/sys/kernel/random/boot_id")?.trim()
  const started = read("/proc/1/stat")?.split(") ").at(-1)?.split(" ")[19]
  return boot === undefined || started === undefined ? null : `${boot}:${started}`
}

/** `absent`; `stale`: of an earlier boot; `expired`; what cannot be read counts as a request. */
const look = (path: string, now: number, current: string | null): "active" | "absent" | "stale" | "expired" => {
  let writtenAt: number
  try {
    writtenAt = statSync(path).mtimeMs
  } catch {
    return "absent"
  }
  const named = readJson(path)?.["epoch"]
  if (typeof named === "string" && current !== null && named !== current) return "stale"
  return now - writtenAt > lifetime ? "expired" : "active"
}

export const layer = Layer.effectDiscard(
  Effect.gen(function* () {
    const path = paths((yield* Settings).home).drainRequest
    const lifecycle = yield* Lifecycle
    const current = epoch()
    let last: ReturnType<typeof look> = "absent"
    const check = Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const found = look(path, now, current)
      if (found === last) return Effect.void
      const was = last
      last = found
      return Effect.andThen(
        found === "expired"
          ? Effect.logWarning("a request to rest was not renewed and has expired", { file: path })
          : Effect.logInfo(found === "active" ? "resting: no new turns" : "no request to rest", { file: path }),
        found === "active" || was === "active" ? lifecycle.rest(found === "active") : Effect.void
      )
    })
    yield* Effect.forkScoped(Effect.schedule(check, Schedule.spaced(every)))
  })
)
