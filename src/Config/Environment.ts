/**
 * The environment in its ranks: `HOME/.env` over what the process inherited, over the working directory's `.env`
 * (`operations F1`), with the reference's old names below the new ones (`operations N3`). Read once, never written.
 */
import type { ConfigProblem } from "./ConfigError.ts"
import type { EnvFile } from "./EnvFile.ts"

export interface Variable {
  readonly name: string
  readonly value: string
  /** `environment`, `.env` or `./.env`. */
  readonly source: string
}

export interface Environment {
  readonly variables: ReadonlyMap<string, Variable>
  readonly problems: ReadonlyArray<ConfigProblem>
}

const CREDENTIAL = /(?:_API_KEY|_TOKEN|_SECRET|_KEY)$/

/** Look-alikes and zero-width characters come in with copy and paste; no credential has them (`operations F1`). */
const clean = (variable: Variable): { readonly variable: Variable; readonly problem: ConfigProblem | null } => {
  if (!CREDENTIAL.test(variable.name)) return { variable, problem: null }
  const strange = [...new Set(variable.value.match(/[^\x00-\x7F]/gu) ?? [])]
  if (strange.length === 0) return { variable, problem: null }
  const points = strange
    .slice(0, 8)
    .map((char) => `U+${char.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}`)
  return {
    variable: { ...variable, value: variable.value.replace(/[^\x00-\x7F]/gu, "") },
    problem: {
      level: "warning",
      where: variable.name,
      value: `characters beyond ASCII (${points.join(", ")}), which are left out`,
      expected: "ASCII only",
      fix: "copy the credential again from where it was issued"
    }
  }
}

/** Merges the three sources. An empty value counts as not set. */
export const merge = (sources: {
  readonly home: EnvFile
  readonly inherited: Readonly<Record<string, string | undefined>>
  readonly workingDirectory: EnvFile
}): Environment => {
  const variables = new Map<string, Variable>()
  const problems: Array<ConfigProblem> = []
  const add = (source: string, entries: Iterable<readonly [string, string | undefined]>) => {
    for (const [name, value] of entries) {
      if (value === undefined || value.trim() === "" || variables.has(name)) continue
      const { problem, variable } = clean({ name, value, source })
      if (problem !== null) problems.push(problem)
      variables.set(name, variable)
    }
  }
  add(".env", sources.home.values)
  add("environment", Object.entries(sources.inherited))
  add("./.env", sources.workingDirectory.values)
  for (const [file, source] of [
    [sources.home, ".env"],
    [sources.workingDirectory, "./.env"]
  ] as const) {
    for (const line of file.malformed) {
      problems.push({
        level: "warning",
        where: `${source}:${line}:1`,
        value: "a line that assigns nothing",
        expected: "NAME=value",
        fix: "write NAME=value, or put # before it"
      })
    }
  }
  return { variables, problems }
}

/** `operations N3`: the pair of names. `HERMES_HOME` is never ours, so that we cannot run in the reference's home. */
const oldName = (name: string): string | null =>
  name.startsWith("SWITCHBOARD_") && name !== "SWITCHBOARD_HOME" ? `HERMES_${name.slice("SWITCHBOARD_".length)}` : null

export const lookup = (
  environment: Environment,
  names: ReadonlyArray<string>
): { readonly variable: Variable; readonly old: boolean } | null => {
  for (const name of names) {
    const variable = environment.variables.get(name)
    if (variable !== undefined) return { variable, old: false }
  }
  for (const name of names) {
    const old = oldName(name)
    const variable = old === null ? undefined : environment.variables.get(old)
    if (variable !== undefined) return { variable, old: true }
  }
  return null
}
