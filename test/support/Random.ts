/** A small seeded generator (mulberry32), so that a failing run can be played again. Not for secrets. */
export interface Random {
  /** In [0, 1). */
  readonly next: () => number
  /** An integer in [0, bound). */
  readonly below: (bound: number) => number
  readonly between: (from: number, to: number) => number
  readonly pick: <A>(items: ReadonlyArray<A>) => A
}

export const seeded = (seed: number): Random => {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
  const below = (bound: number): number => Math.floor(next() * bound)
  return {
    next,
    below,
    between: (from, to) => from + next() * (to - from),
    pick: (items) => items[below(items.length)]!
  }
}
