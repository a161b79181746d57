/**
 * A statement that carries any number of rows in one JSON parameter, written once for both dialects: what the Journal
 * groups. Rows are arrays of cells in the order of `columns`, so that a batch is one `JSON.stringify` and one statement.
 */

/** JSON cell values; `undefined` is not one, so that a forgotten column is a type error. */
export type Cell = string | number | boolean | null

export type Dialect = "sqlite" | "pg"

export interface BatchStatement {
  readonly name: string
  /** Place within a transaction: lower ranks run first. */
  readonly rank: number
  readonly text: Readonly<Record<Dialect, string>>
  /** Index of the cell that identifies a row. Two rows with equal cells in one transaction: the later one counts. */
  readonly identity: number | null
  /** Column of the returned rows that equals the identity cell; `null` = nothing is returned. */
  readonly returning: string | null
}

/** One row for one statement. */
export interface Write {
  readonly statement: BatchStatement
  readonly row: ReadonlyArray<Cell>
}

type Type = "text" | "bigint" | "integer"

/** `SELECT` of the JSON rows, in their order, under the columns' names. */
const source = (dialect: Dialect, columns: ReadonlyArray<readonly [string, Type]>): string =>
  dialect === "sqlite"
    ? `SELECT ${columns.map(([name], i) => `value ->> ${i} AS ${name}`).join(", ")} FROM json_each(?)`
    : `SELECT ${columns.map(([name, type], i) => `(value ->> ${i})::${type} AS ${name}`).join(", ")} ` +
      `FROM json_array_elements($1::json) WITH ORDINALITY AS element(value, n) ORDER BY n`

/**
 * `sql` gets the row source as text and returns the statement; columns are named in it as `r.NAME`. Both dialects share
 * the text: `INSERT … SELECT … FROM (source) AS r WHERE true ON CONFLICT …` and `UPDATE … FROM (source) AS r` are common.
 */
export const make = (options: {
  readonly name: string
  readonly rank: number
  readonly columns: ReadonlyArray<readonly [string, Type]>
  readonly identity?: string
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
    returning: options.returning ?? null
  }
}
