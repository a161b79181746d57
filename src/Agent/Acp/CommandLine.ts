/** A command line as its words, with the quotes of a shell and nothing else of it: no variable, no pipe, no pattern (pure). */

/** `null`: a quote is not closed, or a backslash ends the line. */
export const words = (line: string): ReadonlyArray<string> | null => {
  const out: Array<string> = []
  let word: string | null = null
  let quote: '"' | "'" | null = null
  for (let i = 0; i < line.length; i++) {
    const char = line[i]!
    if (quote === "'" ? char !== "'" : char === "\\") {
      if (quote === "'") {
        word += char
        continue
      }
      const next = line[++i]
      if (next === undefined) return null
      // Within double quotes only what is special there is escaped.
      word = (word ?? "") + (quote === '"' && !'"\\$`'.includes(next) ? `\\${next}` : next)
    } else if (quote === null && /\s/.test(char)) {
      if (word !== null) out.push(word)
      word = null
    } else if (quote === null && (char === '"' || char === "'")) {
      quote = char
      word ??= ""
    } else if (char === quote) quote = null
    else word = (word ?? "") + char
  }
  if (quote !== null) return null
  if (word !== null) out.push(word)
  return out
}

/** The other way: what `words` reads back as the same words. */
export const join = (all: ReadonlyArray<string>): string =>
  all.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(" ")
