/**
 * When a conversation is over by itself (`session P1`–`P3`, P9): pure, from a policy, the last activity and the time. Off
 * unless configured.
 */
import { Effect, Result, Schema } from "effect"
import * as Setting from "../Config/Setting.ts"
import { Settings } from "../Config/Settings.ts"
import type { Source } from "../Message/Source.ts"
import * as LocalTime from "./LocalTime.ts"

export interface ResetPolicy {
  readonly mode: "none" | "idle" | "daily" | "both"
  /** 0–23, local time. */
  readonly atHour: number
  readonly idleMinutes: number
  /** Tell the user, when there was something to lose (`session P7`). */
  readonly notify: boolean
  readonly notifyExcludePlatforms: ReadonlyArray<string>
}

export const builtIn: ResetPolicy = {
  mode: "none",
  atHour: 4,
  idleMinutes: 1440,
  notify: true,
  notifyExcludePlatforms: ["api_server", "webhook"]
}

/** A policy of its own for every platform and kind of chat that has one, else the default (`session P2`). */
export interface ResetPolicies {
  readonly general: ResetPolicy
  readonly byPlatform: Readonly<Record<string, ResetPolicy>>
  readonly byType: Readonly<Record<string, ResetPolicy>>
}

export const policyOf = (policies: ResetPolicies, source: Source): ResetPolicy =>
  policies.byPlatform[source.platform] ?? policies.byType[source.chatType] ?? policies.general

/** Why the conversation is over; `null`: it goes on. Idle is tested before the day (`session P3`). */
export const expiry = (
  policy: ResetPolicy,
  lastActivity: number,
  now: number,
  zone: string | null
): "idle" | "daily" | null => {
  const { atHour, idleMinutes, mode } = policy
  if ((mode === "idle" || mode === "both") && now > lastActivity + idleMinutes * 60_000) return "idle"
  if ((mode === "daily" || mode === "both") && lastActivity < LocalTime.latestHour(now, atHour, zone)) return "daily"
  return null
}

/** Whether the user hears of it (`session P7`): of a stop always, of a timed reset when there was something to lose. */
export const isAnnounced = (
  policy: ResetPolicy,
  reset: { readonly reason: "suspended" | "idle" | "daily"; readonly hadActivity: boolean },
  platform: string
): boolean =>
  reset.reason === "suspended" ||
  (policy.notify && reset.hadActivity && !policy.notifyExcludePlatforms.includes(platform))

/** The least time without activity after which any of the policies may apply; `null`: none ever does (`session X1`). */
export const shortestSilence = (policies: ResetPolicies): number | null => {
  const all = [policies.general, ...Object.values(policies.byPlatform), ...Object.values(policies.byType)]
  const silences = all.flatMap(({ idleMinutes, mode }) =>
    mode === "none" ? [] : mode === "idle" ? [idleMinutes * 60_000] : [0]
  )
  return silences.length === 0 ? null : Math.min(...silences)
}

const modes = ["none", "idle", "daily", "both"] as const

export const SessionResetMode = Setting.make({
  key: "session_reset.mode",
  kind: Setting.oneOf(modes),
  default: builtIn.mode,
  description: "when a conversation starts anew by itself: `none`, `idle`, `daily` or `both`"
})

export const SessionResetAtHour = Setting.make({
  key: "session_reset.at_hour",
  env: "SESSION_RESET_HOUR",
  kind: Setting.int({ min: 0, max: 23 }),
  default: builtIn.atHour,
  description: "hour of the daily reset, local time"
})

export const SessionResetIdleMinutes = Setting.make({
  key: "session_reset.idle_minutes",
  env: "SESSION_IDLE_MINUTES",
  kind: Setting.int({ min: 1, max: 10_000_000 }),
  default: builtIn.idleMinutes,
  description: "minutes without a message after which an idle reset is due"
})

export const SessionResetNotify = Setting.make({
  key: "session_reset.notify",
  kind: Setting.boolean,
  default: builtIn.notify,
  description: "say in the chat that a conversation was reset"
})

const Names = Schema.Array(Schema.String)
const Policy = Schema.Struct({
  mode: Schema.optionalKey(Schema.Literals(modes)),
  at_hour: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 23 }))),
  idle_minutes: Schema.optionalKey(Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))),
  notify: Schema.optionalKey(Schema.Boolean),
  notify_exclude_platforms: Schema.optionalKey(Names)
})
const decodePolicies = Schema.decodeUnknownResult(Schema.Record(Schema.String, Policy))
const decodeNames = Schema.decodeUnknownResult(Names)

export const SessionResetNotifyExcludePlatforms = Setting.make({
  key: "session_reset.notify_exclude_platforms",
  kind: Setting.coerce("a list of platforms", (raw) => Result.getOrUndefined(decodeNames(raw))),
  default: builtIn.notifyExcludePlatforms,
  description: "platforms where a reset is not announced"
})

/** Whole policies: a key that one leaves out has the built-in value (`session P2`). */
const policies = Setting.coerce<Readonly<Record<string, ResetPolicy>>>("policies by name", (raw) =>
  Result.getOrUndefined(
    Result.map(decodePolicies(raw), (found) =>
      Object.fromEntries(
        Object.entries(found).map(([name, policy]) => [
          name,
          {
            mode: policy.mode ?? builtIn.mode,
            atHour: policy.at_hour ?? builtIn.atHour,
            idleMinutes: policy.idle_minutes ?? builtIn.idleMinutes,
            notify: policy.notify ?? builtIn.notify,
            notifyExcludePlatforms: policy.notify_exclude_platforms ?? builtIn.notifyExcludePlatforms
          }
        ])
      )
    )
  )
)

export const ResetByPlatform = Setting.make({
  key: "reset_by_platform",
  kind: policies,
  default: {},
  description: "a whole `session_reset` per platform"
})

export const ResetByType = Setting.make({
  key: "reset_by_type",
  kind: policies,
  default: {},
  description: "a whole `session_reset` per kind of chat (`dm`, `group`, `thread`)"
})

export const configured = Effect.gen(function* () {
  const settings = yield* Settings
  const found: ResetPolicies = {
    general: {
      mode: yield* settings.get(SessionResetMode),
      atHour: yield* settings.get(SessionResetAtHour),
      idleMinutes: yield* settings.get(SessionResetIdleMinutes),
      notify: yield* settings.get(SessionResetNotify),
      notifyExcludePlatforms: yield* settings.get(SessionResetNotifyExcludePlatforms)
    },
    byPlatform: yield* settings.get(ResetByPlatform),
    byType: yield* settings.get(ResetByType)
  }
  return found
})
