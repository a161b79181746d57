/** Every setting of this room, for `config check` and the tables of the documentation. */
import type { Setting } from "../Config/Setting.ts"
import {
  BotLoopGuard,
  GatewayAllowAllUsers,
  GatewayAllowedUsers,
  listedSettingsOf,
  OpenHostCommands,
  RedactPii,
  UnauthorizedDmBehavior
} from "./AccessSettings.ts"
import { groupSettingsOf } from "./GroupRules.ts"
import { homeSettingsOf } from "./HomeChannel.ts"

/** What each platform has. */
export const platformSettings = (platforms: ReadonlyArray<string>): ReadonlyArray<Setting<unknown>> =>
  platforms.flatMap((name) => [
    ...listedSettingsOf(name),
    ...Object.values(groupSettingsOf(name)),
    ...Object.values(homeSettingsOf(name))
  ])

export const accessSettings = (platforms: ReadonlyArray<string>): ReadonlyArray<Setting<unknown>> => [
  GatewayAllowedUsers,
  GatewayAllowAllUsers,
  UnauthorizedDmBehavior,
  OpenHostCommands,
  BotLoopGuard,
  RedactPii,
  ...platformSettings(platforms)
]
