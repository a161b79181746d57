/**
 * What is wrong with the configuration, said so that the reader can mend it: where, what stands there, what was
 * expected, what to do (`operations F11`). It never holds a value that could be a secret.
 */
import { Schema } from "effect"

export const ConfigProblem = Schema.Struct({
  /** `error` stops the start with exit 78; `warning` names what is ignored or replaced by a default. */
  level: Schema.Literals(["error", "warning"]),
  /** The variable, or `FILE:LINE:COLUMN KEY`. */
  where: Schema.String,
  /** What stands there, redacted. */
  value: Schema.String,
  expected: Schema.String,
  fix: Schema.String
})
export type ConfigProblem = typeof ConfigProblem.Type

/** One line per problem. */
export const describe = (problem: ConfigProblem): string =>
  `${problem.level}: ${problem.where}: found ${problem.value}, expected ${problem.expected}; ${problem.fix}`

/** The configuration cannot be used. Nothing was started with other rules than those written. */
export class ConfigError extends Schema.TaggedError<ConfigError>()("ConfigError", {
  problems: Schema.Array(ConfigProblem)
}) {
  override get message(): string {
    return this.problems.map(describe).join("\n")
  }
}
