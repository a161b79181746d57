/**
 * A statement for any number of rows, written once for both dialects: what the Journal groups. Rows are arrays of cells in
 * the order of `columns`. PostgreSQL takes all of them in one JSON parameter, one round trip; SQLite, which lives in this
 * process, takes them one by one through a prepared statement, which costs it half of what parsing the JSON does.
 */

/** JSON cell values; `undefined` is not one, so that a forgotten column is a type error. */
export type Cell = string | number | null

export type Dialect = "sqlite" | "pg"

export interface BatchStatement {
  readonly name: string
  /** Place within a transaction: lower ranks run first. */
  readonly rank: number
  /** `sqlite`: parameters are the cells of one row. `pg`: the one parameter is the JSON array of all rows. */
  readonly text: Readonly<Record<Dialect, string>>
  /** Index of the cell that identifies a row; `null` = rows have no identity. */
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
type Columns = ReadonlyArray<readonly [name: string, type: Type]>

interface Options {
  readonly name: string
  readonly rank: number
  /** Cells of a row, in order; expressions name them as `r.NAME`. */
  readonly columns: Columns
  readonly identity?: string
}

/** The rows of the JSON parameter, in their order, as a table `r`. */
const rowsOnPostgres = (columns: Columns): string =>
  `(SELECT ${columns.map(([name, type], i) => `(value ->> ${i})::${type} AS ${name}`).join(", ")} ` +
  "FROM json_array_elements($1::json) WITH ORDINALITY AS element(value, n) ORDER BY n) AS r"

/** On SQLite the cells of the one row are parameters: `r.NAME` becomes `?N`. */
const onSqlite = (columns: Columns, expression: string): string =>
  expression.replaceAll(/\br\.(\w+)/g, (_, name: string) => {
    const at = columns.findIndex(([column]) => column === name)
    if (at < 0) throw new Error(`no cell is called ${name}`)
    return `?${at + 1}`
  })

const make = (
  options: Options & { readonly returning?: string | undefined },
  text: BatchStatement["text"]
): BatchStatement => ({
  name: options.name,
  rank: options.rank,
  text,
  identity:
    options.identity === undefined ? null : options.columns.findIndex(([column]) => column === options.identity),
  returning: options.returning ?? null
})

/** `values` are the target columns with their expressions; `onConflict` is all that follows, `RETURNING` included. */
export const insert = (
  options: Options & {
    readonly into: string
    readonly values: ReadonlyArray<readonly [column: string, expression: string]>
    readonly onConflict: string
    readonly returning?: string
  }
): BatchStatement => {
  const targets = options.values.map(([column]) => column).join(", ")
  const expressions = options.values.map(([, expression]) => expression).join(", ")
  const head = `INSERT INTO ${options.into} (${targets})`
  return make(options, {
    sqlite: `${head} VALUES (${onSqlite(options.columns, expressions)}) ${onSqlite(options.columns, options.onConflict)}`,
    pg: `${head} SELECT ${expressions} FROM ${rowsOnPostgres(options.columns)} WHERE true ${options.onConflict}`
  })
}

export const update = (
  options: Options & {
    readonly table: string
    readonly set: string
    readonly where: string
  }
): BatchStatement => {
  const head = `UPDATE ${options.table} SET ${options.set}`
  return make(options, {
    sqlite: onSqlite(options.columns, `${head} WHERE ${options.where}`),
    pg: `${head} FROM ${rowsOnPostgres(options.columns)} WHERE ${options.where}`
  })
}

/** Copies rows of a table, named `m`, into it or another one, in the order of their ids; expressions name `r` and `m`. */
export const copy = (
  options: Options & {
    readonly into: string
    readonly values: ReadonlyArray<readonly [column: string, expression: string]>
    readonly from: string
    readonly where: string
  }
): BatchStatement => {
  const targets = options.values.map(([column]) => column).join(", ")
  const expressions = options.values.map(([, expression]) => expression).join(", ")
  const select = `INSERT INTO ${options.into} (${targets}) SELECT ${expressions} FROM ${options.from} m`
  return make(options, {
    sqlite: onSqlite(options.columns, `${select} WHERE ${options.where} ORDER BY m.id`),
    pg: `${select}, ${rowsOnPostgres(options.columns)} WHERE ${options.where} ORDER BY m.id`
  })
}

/** Columns that are stored as they come. */
export const asGiven = (...names: ReadonlyArray<string>): ReadonlyArray<readonly [string, string]> =>
  names.map((name) => [name, `r.${name}`])
