/** The known name that an unknown one most likely meant; for "did you mean …" in warnings. */

/** Optimal string alignment distance, given up past `limit`. */
const distance = (a: string, b: string, limit: number): number => {
  if (Math.abs(a.length - b.length) > limit) return limit + 1
  let before: Array<number> = []
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let best = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (same ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, before[j - 2]! + 1)
      next.push(best)
    }
    before = row
    row = next
  }
  return row[b.length]!
}

/** Names longer than 100 characters are no slip of the finger. */
export const nearest = (name: string, known: Iterable<string>): string | null => {
  if (name.length > 100) return null
  const limit = Math.max(1, Math.min(3, Math.floor(name.length / 3)))
  let best: string | null = null
  let least = limit + 1
  for (const candidate of known) {
    const d = distance(name.toLowerCase(), candidate.toLowerCase(), limit)
    if (d > 0 && d < least) {
      best = candidate
      least = d
    }
  }
  return best
}
