/** The settings of conversations (`session` Configuration). What is not read by this program yet is not declared. */
import * as Setting from "../Config/Setting.ts"
import * as LocalTime from "./LocalTime.ts"
import * as ResetPolicy from "./ResetPolicy.ts"

export const Timezone = Setting.make<string | null>({
  key: "timezone",
  kind: Setting.coerce("the name of a time zone, such as Europe/Berlin", (raw) =>
    raw === null || raw === "" ? null : typeof raw === "string" && LocalTime.isZone(raw) ? raw : undefined
  ),
  default: null,
  description: "zone of times that are shown and of daily resets; unset = the machine's"
})

export const SessionStoreMaxAgeDays = Setting.make({
  key: "session_store_max_age_days",
  kind: Setting.lenient(Setting.number()),
  default: 90,
  description: "a chat silent for so many days starts anew, its transcript stays; 0 = never"
})

export const SessionsMaxResumeMessages = Setting.make({
  key: "sessions.max_resume_messages",
  kind: Setting.int({ min: 0 }),
  default: 20_000,
  description: "conversations of more messages are not resumed; 0 = no limit"
})

export const SessionsMaxExportMessages = Setting.make({
  key: "sessions.max_export_messages",
  kind: Setting.int({ min: 0 }),
  default: 20_000,
  description: "conversations of more messages are not exported in a chat; 0 = no limit"
})

export const sessionSettings: ReadonlyArray<Setting.Setting<unknown>> = [
  Timezone,
  ResetPolicy.SessionResetMode,
  ResetPolicy.SessionResetAtHour,
  ResetPolicy.SessionResetIdleMinutes,
  ResetPolicy.SessionResetNotify,
  ResetPolicy.SessionResetNotifyExcludePlatforms,
  ResetPolicy.ResetByPlatform,
  ResetPolicy.ResetByType,
  SessionStoreMaxAgeDays,
  SessionsMaxResumeMessages,
  SessionsMaxExportMessages
]
