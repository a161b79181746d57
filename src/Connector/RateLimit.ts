/**
 * A token bucket as plain values: so many at once, so many a second. It reads no clock.
 */

export interface Bucket {
  readonly tokens: number
  readonly at: number
}

export interface Rate {
  readonly perSecond: number
  readonly burst: number
}

export const full = (rate: Rate, now: number): Bucket => ({ tokens: rate.burst, at: now })

/** The bucket afterwards, and the milliseconds to wait when there was no token (0 = one was taken). */
export const take = (bucket: Bucket, rate: Rate, now: number): readonly [Bucket, number] => {
  const elapsed = Math.max(0, now - bucket.at)
  const tokens = Math.min(rate.burst, bucket.tokens + (elapsed * rate.perSecond) / 1000)
  return tokens >= 1
    ? [{ tokens: tokens - 1, at: now }, 0]
    : [{ tokens, at: now }, Math.ceil(((1 - tokens) * 1000) / rate.perSecond)]
}
