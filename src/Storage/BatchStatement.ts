/**
 * A statement for any number of rows, written once for both dialects: what the Journal groups. Rows are arrays of cells in
 * the order of `columns`. PostgreSQL takes all of them in one JSON parameter, one round trip; SQLite, which lives in this
 * process, takes them one by one through a prepared statement, which costs it half of what parsing the JSON does.
 */

/** JSON cell values; `undefined` is not one, so that a forgotten column is a type error. */
export type Cell = string | number | boolean | null

export type Dialect = "sqlite" | "pg"

export interface BatchStatement {
  readonly name: string
  /** Place within a transaction: lower ranks run first. */
  readonly rank: number
  /** `sqlite`: parameters are the cells of one row. `pg`: the one parameter is the JSON array of all rows. */
  readonly text: Readonly<Record<Dialect, string>>
  /** Index of the cell that identifies a row; `null` = rows have no identity. */
  readonly identity: number | null
  /** Which of two rows with the same identity counts when both come into one transaction. */
  readonly wins: "first" | "last"
  /** Column of the returned rows that equals the identity cell; `null` = nothing is returned. */
  readonly returning: string | null
}

/** One row for one statement. */
export interface Write {
  readonly statement: BatchStatement
  readonly row: ReadonlyArray<Cell>
}

type Type = "text" | "bigint" | "integer"

/** `SELECT` of the rows, in their order, under the columns' names. */
const source = (dialect: Dialect, columns: ReadonlyArray<readonly [string, Type]>): string =>
  dialect === "sqlite"
    ? `SELECT ${columns.map(([name], i) => `?${i + 1} AS ${name}`).join(", ")}`
    : `SELECT ${columns.map(([name, type], i) => `(value ->> ${i})::${type} AS ${name}`).join(", ")} ` +
      "FROM json_array_elements($1::json) WITH ORDINALITY AS element(value, n) ORDER BY n"

/**
 * `sql` gets the row source as text and returns the statement; columns are named in it as `r.NAME`. Both dialects share
 * the text: `INSERT … SELECT … FROM (source) AS r WHERE true ON CONFLICT …` and `UPDATE … FROM (source) AS r` are common.
 */
export const make = (options: {
  readonly name: string
  readonly rank: number
  readonly columns: ReadonlyArray<readonly [string, Type]>
  readonly identity?: string
  /** Default `last`: the later writer knows more. `first`: the statement itself ignores what is there already. */
  readonly wins?: "first" | "last"
  readonly returning?: string
  readonly sql: (rows: string) => string
}): BatchStatement => {
  const at = (name: string): number => options.columns.findIndex(([column]) => column === name)
  return {
    name: options.name,
    rank: options.rank,
    text: {
      sqlite: options.sql(`(${source("sqlite", options.columns)}) AS r`),
      pg: options.sql(`(${source("pg", options.columns)}) AS r`)
    },
    identity: options.identity === undefined ? null : at(options.identity),
    wins: options.wins ?? "last",
    returning: options.returning ?? null
  }
}
