/** The settings that commands read (`commands Q1`, M5). */
import { Schema } from "effect"
import * as Setting from "../../Config/Setting.ts"
import type { QuickCommand } from "./QuickCommands.ts"

const NonBlank = Schema.String.check(Schema.makeFilter((text: string) => text.trim() !== ""))
const QuickCommandSchema = Schema.Union([
  Schema.Struct({ type: Schema.Literal("exec"), command: NonBlank }),
  Schema.Struct({ type: Schema.Literal("alias"), target: NonBlank })
])

/** What does not decode is an error of the configuration, before anything runs (`commands Q4`). */
export const QuickCommandsSetting = Setting.make<Readonly<Record<string, QuickCommand>>>({
  key: "quick_commands",
  kind: Setting.structure(
    Schema.Record(Schema.String, QuickCommandSchema).check(
      Schema.makeFilter((commands: object) =>
        Object.keys(commands).every((name) => /^[a-z0-9][a-z0-9_-]{0,31}$/.test(name))
      )
    ),
    "a map NAME: {type: exec, command} or {type: alias, target}, names in lower case"
  ),
  default: {},
  description: "commands of your own: a fixed shell line, or another name for a command with arguments"
})

export const ToolProgressCommand = Setting.make({
  key: "display.tool_progress_command",
  kind: Setting.boolean,
  default: false,
  description: "offer /verbose, which changes how much of the tools is shown"
})

export const commandSettings: ReadonlyArray<Setting.Setting<unknown>> = [QuickCommandsSetting, ToolProgressCommand]
