/**
 * Where the home is (`operations N1`): `SWITCHBOARD_HOME` or `~/.switchboard`, with a profile below it. Only names are
 * made here; `Operations/Home.ts` creates and guards the folder.
 */
import { homedir } from "node:os"
import { isAbsolute, join, resolve } from "node:path"

/** `operations N1`. `default` is the home itself. */
export const isProfileName = (name: string): boolean => /^[a-z0-9][a-z0-9_-]{0,63}$/.test(name)

const expand = (path: string, userHome: string): string =>
  path === "~" ? userHome : path.startsWith("~/") ? join(userHome, path.slice(2)) : path

/** Throws for a profile name that could lead out of the home. */
export const homePath = (options?: {
  readonly home?: string | undefined
  readonly profile?: string | undefined
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined
}): string => {
  const environment = options?.environment ?? process.env
  const userHome = environment["HOME"]?.trim() || homedir()
  const named = options?.home?.trim() || environment["SWITCHBOARD_HOME"]?.trim() || "~/.switchboard"
  const expanded = expand(named, userHome)
  const root = isAbsolute(expanded) ? resolve(expanded) : resolve(process.cwd(), expanded)
  const profile = options?.profile
  if (profile === undefined || profile === "default") return root
  if (!isProfileName(profile)) {
    throw new RangeError(
      `"${profile}" is no profile name: lower-case letters, digits, "_" and "-", at most 64 characters`
    )
  }
  return join(root, "profiles", profile)
}
