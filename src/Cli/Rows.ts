/**
 * What the commands over stored rows share: how a row's columns are read, how its time is shown, the flags of a list.
 */
import { Option, Schema, SchemaGetter } from "effect"
import { Argument, Flag } from "effect/cli"
import { CommandFailed, exitCode } from "./Exit.ts"

/** 64-bit integers come as numbers, as `bigint` or as text, by dialect. */
export const Count = Schema.Union([Schema.Number, Schema.BigInt, Schema.FiniteFromString]).pipe(
  Schema.decodeTo(Schema.Number, {
    decode: SchemaGetter.transform((value: number | bigint) => Number(value)),
    encode: SchemaGetter.transform((value: number): number | bigint => value)
  })
)
export const Text = Schema.NullOr(Schema.String)

/** Rows of a list, newest first. */
export const listed = 50

export const time = (at: number | null): string =>
  at === null
    ? "-"
    : new Date(at)
        .toISOString()
        .replace("T", " ")
        .replace(/\.\d+Z$/, "Z")

/** A value of a JSON column as it stands, or its text when it is no JSON any more. */
export const jsonOf = (text: string | null): unknown => {
  if (text === null) return null
  try {
    return JSON.parse(text) as unknown
  } catch {
    return text
  }
}

export const json = Flag.Boolean("json").pipe(
  Flag.withoutNegation,
  Flag.withDefault(false),
  Flag.withDescription("One JSON document")
)

export const stateFlag = (states: ReadonlyArray<string>, usual: string) =>
  Flag.Literals("state", states).pipe(
    Flag.optional,
    Flag.map(Option.getOrUndefined),
    Flag.withMetavar("STATE"),
    Flag.withDescription(`Only rows of this state (${states.join(", ")}); default: ${usual}`)
  )

export const idArgument = Argument.Int("id").pipe(
  Argument.withDescription("Number of the row, as `inbox list` shows it")
)

export const keyArgument = Argument.String("key").pipe(
  Argument.withDescription("Key of the row, or its first characters (6 or more) when they are unique")
)

export const refuse = (message: string) => new CommandFailed({ code: exitCode.defect, message })
