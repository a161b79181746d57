/**
 * Mints and verifies the bearer of the relay's upgrade (`relay H2`), written apart from the program's own code so that a
 * mistake there cannot hide behind the same mistake here.
 */
import { createHmac, timingSafeEqual } from "node:crypto"

const sign = (secret: string, signed: string): string => createHmac("sha256", secret).update(signed).digest("hex")

export const mint = (payload: string, secret: string, expires: number): string =>
  Buffer.from(`${payload}:${expires}:${sign(secret, `${payload}:${expires}`)}`, "utf8").toString("base64url")

/** The payload (gateway id) of a valid token, or why it is refused. `now` is in unix seconds. */
export const verify = (
  header: string | undefined,
  secrets: ReadonlyArray<string>,
  now: number
): { readonly payload: string } | { readonly refused: string } => {
  if (header === undefined) return { refused: "no Authorization header" }
  if (!header.startsWith("Bearer ")) return { refused: "the Authorization header is no bearer" }
  const token = header.slice("Bearer ".length)
  if (!/^[A-Za-z0-9_-]+$/.test(token)) return { refused: "the token is not unpadded base64url" }
  const text = Buffer.from(token, "base64url").toString("utf8")
  const last = text.lastIndexOf(":")
  const middle = text.lastIndexOf(":", last - 1)
  if (last < 0 || middle < 0) return { refused: "the token has fewer than three parts" }
  const expires = text.slice(middle + 1, last)
  if (!/^\d+$/.test(expires)) return { refused: "the expiry is no number" }
  const given = Buffer.from(text.slice(last + 1), "utf8")
  const fits = secrets
    .filter((secret) => secret !== "")
    .some((secret) => {
      const expected = Buffer.from(sign(secret, text.slice(0, last)), "utf8")
      return expected.length === given.length && timingSafeEqual(expected, given)
    })
  if (!fits) return { refused: "the signature does not fit" }
  if (expires !== "0" && Number(expires) < now) return { refused: "the token has expired" }
  return { payload: text.slice(0, middle) }
}
