/**
 * A configuration file as a tree that knows the line of every key, so that each problem and each effective value can
 * name its place. A file that does not parse is a problem with line and column, never an empty tree.
 */
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  type Document,
  type ErrorCode,
  type Node,
  type YAMLError
} from "yaml"
import type { ConfigProblem } from "./ConfigError.ts"

export interface Place {
  /** Name of the file as shown to the operator. */
  readonly file: string
  readonly line: number
  readonly column: number
}

export interface ConfigTree {
  readonly at: Place
  /** Plain data of this subtree. Numbers JavaScript would write otherwise (`+49…`, `007`, 19 digits) are text. */
  readonly value: unknown
  /** Of a map; `null` for everything else. */
  readonly children: ReadonlyMap<string, ConfigTree> | null
}

export interface ParsedFile {
  readonly tree: ConfigTree | null
  readonly problems: ReadonlyArray<ConfigProblem>
}

/** Aliases may make a small file huge; past this many nodes it is refused. */
const MAX_NODES = 100_000
const MAX_PROBLEMS = 20

export const showPlace = (at: Place): string => `${at.file}:${at.line}:${at.column}`

/** Descends by presence: `null` in the tree is a value, a missing key is `undefined`. */
export const descend = (tree: ConfigTree | undefined, path: ReadonlyArray<string>): ConfigTree | undefined => {
  let node = tree
  for (const part of path) node = node?.children?.get(part)
  return node
}

/** Why a document that parses still cannot be used, and where. */
class Unusable extends Error {
  readonly at: Place
  readonly fix: string
  constructor(at: Place, fix: string) {
    super(fix)
    this.at = at
    this.fix = fix
  }
}

/** Whole numbers that JavaScript writes otherwise are ids and telephone numbers: they stay text. */
const scalarValue = (value: unknown, source: string | undefined): unknown => {
  if (typeof value !== "bigint") return value
  const number = Number(value)
  return source === undefined || (Number.isSafeInteger(number) && String(number) === source) ? number : source
}

/** The keys of maps are text: an id used as a key keeps its digits too. */
const keyText = (key: unknown): string => {
  if (!isScalar(key)) return String(key)
  return typeof key.value === "bigint" && key.source !== undefined ? key.source : String(key.value)
}

const convert = (document: Document.Parsed, file: string, lines: LineCounter): ConfigTree => {
  let nodes = 0
  const anchors = new Map<string, Node>()
  const place = (node: Node | null, fallback: Place): Place => {
    const offset = node?.range?.[0]
    if (offset === undefined) return fallback
    const { col, line } = lines.linePos(offset)
    return { file, line, column: col }
  }
  const walk = (input: unknown, fallback: Place, depth: number): ConfigTree => {
    let node = input as Node | null
    const at = place(node, fallback)
    if (++nodes > MAX_NODES || depth > 100)
      throw new Unusable(at, "make it smaller: it is too deep, or its aliases unfold to too much")
    if (isAlias(node)) {
      const target = anchors.get(node.source)
      if (target === undefined) throw new Unusable(at, `define the anchor &${node.source} before it is used`)
      node = target
    } else if ((isMap(node) || isSeq(node) || isScalar(node)) && node.anchor !== undefined)
      anchors.set(node.anchor, node)
    if (isMap(node)) {
      const children = new Map<string, ConfigTree>()
      for (const pair of node.items) {
        const key = keyText(pair.key)
        const child = walk(pair.value, at, depth + 1)
        // The place of a key is where the key stands, not its value.
        const keyed = { ...child, at: place(pair.key as Node, at) }
        if (key === "<<" && child.children !== null) {
          for (const [name, merged] of child.children) if (!children.has(name)) children.set(name, merged)
        } else children.set(key, keyed)
      }
      return { at, value: Object.fromEntries([...children].map(([key, child]) => [key, child.value])), children }
    }
    if (isSeq(node)) return { at, value: node.items.map((item) => walk(item, at, depth + 1).value), children: null }
    return { at, value: isScalar(node) ? scalarValue(node.value, node.source) : null, children: null }
  }
  return walk(document.contents, { file, line: 1, column: 1 }, 0)
}

const sentence = (message: string): string => message.replaceAll(/\s+/g, " ").trim()

/** What to do about the mistakes that people make; the parser's own words for the others. */
const ADVICE: Readonly<Partial<Record<ErrorCode, string>>> = {
  TAB_AS_INDENT: "indent with blanks, not with tabs",
  DUPLICATE_KEY: "keep one of the two lines that set this key",
  BAD_INDENT: "indent this line as much as the lines beside it, and close every bracket and quote above it",
  MISSING_CHAR: "close the bracket or quote that is open here, and put a colon behind each key",
  BLOCK_AS_IMPLICIT_KEY: "put quotes around a value that holds a colon and a blank",
  MULTILINE_IMPLICIT_KEY: "write each key with its colon on one line",
  BAD_SCALAR_START: "put quotes around a value that starts with this character",
  UNEXPECTED_TOKEN: "put quotes around the value, or remove what stands too much"
}

const adviceFor = (error: YAMLError): string => ADVICE[error.code] ?? `correct it: ${sentence(error.message)}`

/** Names the line by its key, never by the value, which may be a secret. */
const lineAt = (content: string, offset: number): string => {
  const from = content.lastIndexOf("\n", offset - 1) + 1
  const end = content.indexOf("\n", offset)
  const line = content.slice(from, end < 0 ? content.length : end).trim()
  const key = /^(?:- )?["']?[\w.-]{1,60}["']?\s*:/.exec(line)?.[0]
  return key === undefined ? "a mistake" : `a mistake in the line of ${key.replace(/\s*:$/, "").replace(/^- /, "")}`
}

/** Reads YAML 1.2, of which JSON is a part. `tree` is `null` when there is nothing usable. */
export const parse = (content: string, file: string): ParsedFile => {
  const lines = new LineCounter()
  const problem = (level: ConfigProblem["level"], offset: number, value: string, fix: string): ConfigProblem => {
    const { col, line } = lines.linePos(offset)
    return { level, where: showPlace({ file, line, column: col }), value, expected: "valid YAML", fix }
  }
  const document = parseDocument(content.replace(/^\uFEFF/, ""), {
    lineCounter: lines,
    intAsBigInt: true,
    prettyErrors: false,
    strict: true,
    uniqueKeys: true
  })
  // One mistake confuses the parser more than once: the first in each line is the one to mend.
  const lineOf = (error: YAMLError): number => lines.linePos(error.pos[0]).line
  const problems = [
    ...document.errors
      .filter((error, i, all) => i === all.findIndex((other) => lineOf(other) === lineOf(error)))
      .slice(0, MAX_PROBLEMS)
      .map((error) => problem("error", error.pos[0], lineAt(content, error.pos[0]), adviceFor(error))),
    ...document.warnings
      .slice(0, MAX_PROBLEMS)
      .map((warning) => problem("warning", warning.pos[0], lineAt(content, warning.pos[0]), sentence(warning.message)))
  ]
  if (document.errors.length > 0) return { tree: null, problems }
  if (document.contents === null || (isScalar(document.contents) && document.contents.value === null)) {
    return { tree: null, problems }
  }
  if (!isMap(document.contents)) {
    return {
      tree: null,
      problems: [
        ...problems,
        { ...problem("error", 0, "no map", "write one `key: value` a line"), expected: "a map of keys" }
      ]
    }
  }
  try {
    return { tree: convert(document, file, lines), problems }
  } catch (error) {
    if (!(error instanceof Unusable)) throw error
    const unusable: ConfigProblem = {
      level: "error",
      where: showPlace(error.at),
      value: "something else",
      expected: "valid YAML",
      fix: error.fix
    }
    return { tree: null, problems: [...problems, unusable] }
  }
}
