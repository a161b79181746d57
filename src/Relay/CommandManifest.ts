/**
 * The commands a connector of Discord registers for us (`relay` Wire, `command_manifest`), within Discord's own bounds:
 * 100 commands, names of 1 to 32 lower-case characters, descriptions of 1 to 100. Pure.
 */
import type { ManifestEntry } from "./Protocol.ts"

/** Our one option: everything after the command's name, as people type it. Its value is put back without its name. */
export const argumentsOption = "args"

const maxCommands = 100
const maxDescription = 100
/** Discord's number for an option that is a text. */
const textOption = 3

const described = (text: string): string =>
  text.length <= maxDescription ? text : `${text.slice(0, maxDescription - 1).trimEnd()}…`

/** A command whose name Discord would refuse is left out. */
export const manifest = (
  commands: ReadonlyArray<{ readonly name: string; readonly help: string; readonly args: string }>
): ReadonlyArray<ManifestEntry> =>
  commands
    .filter(({ help, name }) => /^[-_\p{Ll}\p{Lo}\p{N}]{1,32}$/u.test(name) && help.trim() !== "")
    .slice(0, maxCommands)
    .map(({ args, help, name }) => ({
      name,
      description: described(help),
      ...(args.trim() === ""
        ? {}
        : { options: [{ type: textOption, name: argumentsOption, description: described(args), required: false }] })
    }))
