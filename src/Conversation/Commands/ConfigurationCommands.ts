import type { CommandDef } from "./CommandDef.ts"
export const configurationCommands: ReadonlyArray<CommandDef> = []
