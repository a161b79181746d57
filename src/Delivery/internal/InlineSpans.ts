/**
 * Stretches of a paragraph that are shown as one thing and are not cut: inline code, links, bare addresses (`delivery C9`
 * e). One pass per paragraph, linear also for text made of nothing but brackets and backticks.
 */

/** Sorted, disjoint stretches: `starts[i]` up to `ends[i]`. */
export interface Spans {
  readonly starts: Array<number>
  readonly ends: Array<number>
}

const backtick = 0x60
const backslash = 0x5c

const runLength = (text: string, at: number, to: number): number => {
  let end = at
  while (end < to && text.charCodeAt(end) === backtick) end++
  return end - at
}

/** For each length, where backtick runs of that length begin; asked only in rising order of position. */
const closers = (text: string, from: number, to: number) => {
  const runs = new Map<number, { readonly at: Array<number>; next: number }>()
  // Not by `indexOf`, which would read on to the next backtick, however far behind the paragraph.
  for (let at = from; at < to; at++) {
    const size = runLength(text, at, to)
    if (size === 0) continue
    const known = runs.get(size)
    if (known === undefined) runs.set(size, { at: [at], next: 0 })
    else known.at.push(at)
    at += size
  }
  return (size: number, after: number): number | undefined => {
    const known = runs.get(size)
    if (known === undefined) return undefined
    while (known.next < known.at.length && known.at[known.next]! < after) known.next++
    return known.at[known.next]
  }
}

/** End of a bare address: ASCII without space, quote or angle bracket; a closing parenthesis only if it was opened inside. */
const addressEnd = (text: string, from: number, to: number): number => {
  let depth = 0
  let at = from
  for (; at < to; at++) {
    const code = text.charCodeAt(at)
    if (code <= 0x20 || code > 0x7e) break
    const char = text[at]!
    if ('<>"`]|'.includes(char)) break
    if (char === "(") depth++
    else if (char === ")" && --depth < 0) break
  }
  return at
}

const startsAddress = (text: string, at: number): boolean =>
  text.startsWith("http://", at) || text.startsWith("https://", at)

/** Adds the spans of one paragraph, [from, to), which lies after all that was added before. */
export const addSpans = (text: string, from: number, to: number, spans: Spans): void => {
  const closer = closers(text, from, to)
  const found: Array<readonly [number, number]> = []
  const brackets: Array<number> = []
  // Open parentheses; those of a link's target hold where the link begins, others -1.
  const parentheses: Array<number> = []
  for (let at = from; at < to; at++) {
    switch (text.charCodeAt(at)) {
      case backslash:
        at++
        break
      case backtick: {
        const size = runLength(text, at, to)
        const close = closer(size, at + size)
        const end = close === undefined ? at + size : close + size
        if (close !== undefined) found.push([at, end])
        at = end - 1
        break
      }
      case 0x0a:
        parentheses.length = 0
        break
      case 0x5b:
        brackets.push(at > from && text[at - 1] === "!" ? at - 1 : at)
        break
      case 0x5d: {
        const start = brackets.pop()
        if (start === undefined || text[at + 1] !== "(") break
        parentheses.push(start)
        at++
        break
      }
      case 0x28:
        parentheses.push(-1)
        break
      case 0x29: {
        const start = parentheses.pop() ?? -1
        if (start >= 0) found.push([start, at + 1])
        break
      }
      case 0x68: {
        if ((parentheses.at(-1) ?? -1) >= 0 || !startsAddress(text, at)) break
        const end = addressEnd(text, at, to)
        const angled = at > from && text[at - 1] === "<" && text[end] === ">"
        found.push(angled ? [at - 1, end + 1] : [at, end])
        at = end - 1
        break
      }
    }
  }
  found.sort((a, b) => a[0] - b[0])
  let covered = from
  for (const [start, end] of found) {
    if (start >= covered) {
      spans.starts.push(start)
      spans.ends.push(end)
    } else if (end > covered) spans.ends[spans.ends.length - 1] = end
    covered = Math.max(covered, end)
  }
}
