/**
 * Random markdown of the kinds agents write, and the independent readings by which tests judge its chunks. Shares no code
 * with the splitter.
 */
import { Schema } from "effect"

export const Size = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 40 }))

export const numbered = (count: number, line: (index: number) => string): string =>
  Array.from({ length: count }, (_, i) => line(i)).join("\n")

/** What agents write, each kind in any size; `n` makes every element of one text unique. */
export const elements = {
  prose: (n: number, size: number) => `Some words ${n} ${"about a thing ".repeat(size)}end.`,
  cjk: (_: number, size: number) => "日本語の文章です。".repeat(size),
  emoji: (_: number, size: number) => "👩‍👩‍👧😀🇩🇪e\u0301".repeat(size),
  word: (n: number, size: number) => `w${n}${"x".repeat(size * 9)}`,
  code: (n: number, size: number) => {
    const [and, next] = n % 2 === 0 ? [" and ", " "] : ["と", "は"]
    return numbered(size, (i) => `\`call ${n} of ${i}\`${and}[link ${n} here](https://e.org/${i})`).replaceAll(
      "\n",
      next
    )
  },
  fence: (n: number, size: number) =>
    `\`\`\`py title=${n}\n${numbered(size, (i) => `${"  ".repeat(i % 4)}line ${n} ${i}\n`)}\n\`\`\``,
  tilde: (n: number, size: number) => `~~~~\n${"y ".repeat(size * 4)}${n}\n\`\`\`\n~~~~`,
  table: (n: number, size: number) => `| key ${n} | value |\n|---|:-:|\n${numbered(size, (i) => `| k${i} | v${n} |`)}`,
  list: (n: number, size: number) => numbered(size, (i) => `${i + 1}. item ${n} ${i}\n   goes on`),
  blank: (_: number, size: number) => "\n".repeat(size),
  marks: (_: number, size: number) => "``` ~~~ `` [a](b( ` ".repeat(Math.ceil(size / 8)),
  indented: (n: number, size: number) => `${" ".repeat(size)}- deep ${n}`,
  open: (n: number, size: number) => `\`\`\`\n${numbered(size, (i) => `left open ${n} ${i}`)}`
}
type Kind = keyof typeof elements

export const Element = <K extends Kind>(kinds: ReadonlyArray<K>) =>
  Schema.Array(Schema.Tuple([Schema.Literals(kinds), Size]))
export const compose = (parts: ReadonlyArray<readonly [Kind, number]>): string =>
  parts.map(([kind, size], n) => elements[kind](n, size)).join("\n\n")

export const Anything = Element(Object.keys(elements) as ReadonlyArray<Kind>)

export const bare = (chunk: string): string => chunk.replace(/\s\s?\(\d+\/\d+\)$/, "")

const withoutFirstLines = (chunk: string, lines: number): string => chunk.split("\n").slice(lines).join("\n")

/**
 * The chunks, taken as a whole, are the text: each continues where the last one ended, after white space at most, once
 * what was re-opened, repeated or closed is taken off.
 */
export const isWhole = (text: string, chunks: ReadonlyArray<string>): boolean => {
  let ends = new Set([0])
  for (const chunk of chunks) {
    const fence = /^[ \t]*(`{3,}|~{3,})/.exec(chunk)?.[0]
    const heads = [chunk, ...(fence === undefined ? [] : [withoutFirstLines(chunk, 1)]), withoutFirstLines(chunk, 2)]
    const bodies = heads.flatMap((body) => {
      const close = /\n?[ \t]*(`{3,}|~{3,})$/.exec(body)?.[0]
      return close === undefined
        ? [body]
        : [body, body.slice(0, -close.length), body.slice(0, -close.trimStart().length)]
    })
    const reached = new Set<number>()
    for (const from of ends) {
      const gap = /\s*/y
      gap.lastIndex = from
      const furthest = from + gap.exec(text)![0].length
      for (let start = from; start <= furthest; start++) {
        for (const body of bodies) if (text.startsWith(body, start)) reached.add(start + body.length)
      }
    }
    ends = reached
  }
  return [...ends].some((end) => text.slice(end).trim() === "")
}

/** Read line by line: a fence is closed by a bare line of the same mark. */
export const leavesFenceOpen = (chunk: string): boolean => {
  let open: string | null = null
  for (const line of chunk.split("\n")) {
    const mark: string | undefined = /^ {0,3}(`{3,}|~{3,})/.exec(line)?.[1]
    if (open === null) open = mark ?? null
    else if (mark !== undefined && mark.startsWith(open) && line.trim() === mark) open = null
  }
  return open !== null
}
