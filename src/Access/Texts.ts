/** What this room says to people who write to the bot, in one place. */
import { basename, dirname } from "node:path"

/** `-p NAME` for the operator's command, of a home that belongs to a profile. */
export const profileOption = (home: string): string =>
  basename(dirname(home)) === "profiles" ? `-p ${basename(home)} ` : ""

/** `access U3`. */
export const pairingCode = (platform: string, code: string, profile: string): string =>
  "👋 Hello! I do not know you yet.\n\n" +
  `Your pairing code is \`${code}\`. It is good for one hour.\n\n` +
  `Please ask my owner to run:\n\`switchboard ${profile}pairing approve ${platform} ${code}\``

export const pairingFull = "👋 Hello! There are too many pairing requests at the moment. Please try again later."
