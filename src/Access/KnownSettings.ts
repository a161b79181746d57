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

export const accessSettings = (platforms: ReadonlyArray<string>): ReadonlyArray<Setting<unknown>> => [
  GatewayAllowedUsers,
  GatewayAllowAllUsers,
  UnauthorizedDmBehavior,
  OpenHostCommands,
  BotLoopGuard,
  RedactPii,
  ...platforms.flatMap(listedSettingsOf)
]
