/**
 * Reads `.env` files: `NAME=value`, `export` allowed, quotes, comments; UTF-8 with or without BOM (`operations F1`).
 * It expands nothing and runs nothing; `assign` writes one anew.
 */
export interface EnvFile {
  readonly values: ReadonlyMap<string, string>
  /** Line numbers that are neither an assignment, a comment nor blank. */
  readonly malformed: ReadonlyArray<number>
}

const NAME = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=[ \t]*/
const ESCAPES: Record<string, string> = { n: "\n", r: "\r", t: "\t", '"': '"', "\\": "\\", $: "$" }

/** The end of a quoted value: the index of its closing quote, or -1. */
const closing = (text: string, from: number, quote: string): number => {
  for (let i = from; i < text.length; i++) {
    if (quote === '"' && text[i] === "\\") i++
    else if (text[i] === quote) return i
  }
  return -1
}

interface Assignment {
  readonly name: string
  readonly value: string
  /** First and last line of it, from 0. */
  readonly first: number
  readonly last: number
}

const linesOf = (content: string): ReadonlyArray<string> => content.replace(/^\uFEFF/, "").split(/\r\n|\n|\r/)

const read = (lines: ReadonlyArray<string>) => {
  const assignments: Array<Assignment> = []
  const malformed: Array<number> = []
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!
    if (/^\s*(#|$)/.test(line)) continue
    const match = NAME.exec(line)
    if (match === null) {
      malformed.push(i + 1)
      continue
    }
    const name = match[1]!
    const rest = line.slice(match[0].length)
    const quote = rest[0]
    if (quote !== '"' && quote !== "'") {
      assignments.push({ name, value: rest.replace(/(^|\s)#.*$/, "").trim(), first: i, last: i })
      continue
    }
    let text = rest
    let last = i
    let end = closing(text, 1, quote)
    // 200 lines bound what a forgotten quote can swallow.
    while (end < 0 && quote === '"' && last + 1 < lines.length && last - i < 200) {
      text += `\n${lines[++last]!}`
      end = text[text.length - 1] === '"' || lines[last]!.includes('"') ? closing(text, 1, quote) : -1
    }
    if (end < 0) {
      malformed.push(i + 1)
      continue
    }
    const inner = text.slice(1, end)
    const value = quote === "'" ? inner : inner.replace(/\\([nrt"\\$])/g, (_, char: string) => ESCAPES[char]!)
    assignments.push({ name, value, first: i, last })
    i = last
  }
  return { assignments, malformed }
}

/** A double-quoted value may span lines, as private keys do. Of a name given twice the last value counts. */
export const parse = (content: string): EnvFile => {
  const { assignments, malformed } = read(linesOf(content))
  return { values: new Map(assignments.map(({ name, value }) => [name, value])), malformed }
}

const quoted = (value: string): string =>
  /^[A-Za-z0-9_.:/+=@~,%-]+$/.test(value)
    ? value
    : `"${value
        .replaceAll(/["\\$]/g, "\\$&")
        .replaceAll("\n", "\\n")
        .replaceAll("\r", "\\r")}"`

/** The same file with these values: each where its name stood last, a new name at the end. All else stays as it is. */
export const assign = (content: string, values: Readonly<Record<string, string>>): string => {
  const lines = linesOf(content)
  const { assignments } = read(lines)
  const written = new Map<number, string>()
  const gone = new Set<number>()
  const added: Array<string> = []
  for (const [name, value] of Object.entries(values)) {
    const mine = assignments.filter((assignment) => assignment.name === name)
    for (const { first, last } of mine) for (let line = first; line <= last; line++) gone.add(line)
    const place = mine.at(-1)?.first
    if (place === undefined) added.push(`${name}=${quoted(value)}`)
    else written.set(place, `${name}=${quoted(value)}`)
  }
  const kept = lines.flatMap((line, i) => written.get(i) ?? (gone.has(i) ? [] : [line]))
  while (kept.at(-1) === "") kept.pop()
  return `${[...kept, ...added].join("\n")}\n`
}
