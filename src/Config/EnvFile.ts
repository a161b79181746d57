/**
 * Reads `.env` files: `NAME=value`, `export` allowed, quotes, comments; UTF-8 with or without BOM (`operations F1`).
 * It expands nothing and runs nothing.
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

/** A double-quoted value may span lines, as private keys do. Of a name given twice the last value counts. */
export const parse = (content: string): EnvFile => {
  const lines = content.replace(/^\uFEFF/, "").split(/\r\n|\n|\r/)
  const values = new Map<string, string>()
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
      values.set(name, rest.replace(/(^|\s)#.*$/, "").trim())
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
    values.set(name, quote === "'" ? inner : inner.replace(/\\([nrt"\\$])/g, (_, char: string) => ESCAPES[char]!))
    i = last
  }
  return { values, malformed }
}
