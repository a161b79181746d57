/** The one list of the gateway's commands (`commands`); parsing, help, menus, access and documentation come from it. */
import { nearest } from "../../Config/Nearest.ts"
import { choiceCommands } from "./ChoiceCommands.ts"
import type { CommandDef } from "./CommandDef.ts"
import { configurationCommands } from "./ConfigurationCommands.ts"
import { informationCommands } from "./InformationCommands.ts"
import { operationCommands } from "./OperationCommands.ts"
import { agentCommands, missingCommands, terminalCommands } from "./OtherCommands.ts"
import { sessionCommands } from "./SessionCommands.ts"
import { turnCommands } from "./TurnCommands.ts"

export const commands: ReadonlyArray<CommandDef> = [
  ...sessionCommands,
  ...turnCommands,
  ...choiceCommands,
  ...configurationCommands,
  ...informationCommands,
  ...operationCommands,
  ...agentCommands,
  ...missingCommands,
  ...terminalCommands
]

const byName = new Map(
  commands.flatMap((command) => [command.name, ...command.aliases].map((name) => [name, command] as const))
)

/** By name or alias, in lower case and without slash (`commands N4`). */
export const find = (name: string): CommandDef | null => byName.get(name) ?? null

/** The known name that was most likely meant (`commands D3`). */
export const suggestion = (name: string, further: ReadonlyArray<string>): string | null =>
  nearest(name, [...commands.filter(({ inChats }) => inChats !== false).map((def) => def.name), ...further])

/** As somebody may name it: with or without slash, in any case. */
export const resolve = (text: string): CommandDef | null => find(text.trim().replace(/^\//, "").toLowerCase())
