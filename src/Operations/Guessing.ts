/**
 * Bearers and those who guess them (`operations S4`): compared in constant time, and wrong ones answered the later the more
 * of them there were. A right one among some wrong ones is not slowed.
 */
import { createHash, timingSafeEqual } from "node:crypto"
import { Clock, Effect } from "effect"
import type { HttpServerRequest } from "effect/http"

/** Milliseconds that the answer to a wrong bearer waits, the longer the more of them there were in this minute. */
const delay = { first: 100, most: 5000 }
/** Wrong bearers that wait at once; further ones are answered 429 without being looked at. */
const maxWaiting = 20

const digest = (value: string): Buffer => createHash("sha256").update(value, "utf8").digest()

/** Both sides are hashed first: the comparison takes the same time whatever their lengths. */
export const sameText = (a: string, b: string): boolean => timingSafeEqual(digest(a), digest(b))

export const bearerOf = (request: Pick<HttpServerRequest.HttpServerRequest, "headers">): string | undefined =>
  /^Bearer (.+)$/i.exec(request.headers["authorization"] ?? "")?.[1]

export const make = () => {
  let minutes = { minute: 0, count: 0 }
  let waiting = 0
  return {
    isFull: () => waiting >= maxWaiting,
    /** Completes when a wrong bearer may be answered. */
    wrong: Effect.flatMap(Clock.currentTimeMillis, (now) =>
      Effect.suspend(() => {
        const minute = Math.floor(now / 60_000)
        const count = minutes.minute === minute ? minutes.count + 1 : 1
        minutes = { minute, count }
        waiting++
        return Effect.sleep(Math.min(delay.most, delay.first * 2 ** Math.min(count - 1, 10))).pipe(
          Effect.ensuring(Effect.sync(() => waiting--))
        )
      })
    )
  }
}
