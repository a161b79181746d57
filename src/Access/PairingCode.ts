/**
 * The code a stranger is shown and the operator types (`access P1`, P2). Only its salted digest is kept; comparison takes
 * the same time wherever two digests differ.
 */
import { createHash, randomBytes, randomInt, timingSafeEqual } from "node:crypto"

/** 32 characters, none that is read as another. */
const alphabet = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
const length = 8

/** As stored: 16 random bytes and the digest of them with the code, both in hex. */
export interface Digest {
  readonly salt: string
  readonly hash: string
}

export const make = (): string => Array.from({ length }, () => alphabet[randomInt(alphabet.length)]).join("")

/** What was typed, as it is compared. */
export const normalize = (typed: string): string => typed.trim().toUpperCase()

const hashOf = (salt: Buffer, code: string): Buffer => createHash("sha256").update(salt).update(code).digest()

export const digest = (code: string): Digest => {
  const salt = randomBytes(16)
  return { salt: salt.toString("hex"), hash: hashOf(salt, code).toString("hex") }
}

export const matches = (code: string, { hash, salt }: Digest): boolean => {
  const expected = Buffer.from(hash, "hex")
  const found = hashOf(Buffer.from(salt, "hex"), code)
  return expected.length === found.length && timingSafeEqual(expected, found)
}

/** Names a request where its code must not be named (`access P6`). */
export const requestId = (): string => randomBytes(8).toString("hex")

export const isRequestId = (typed: string): boolean => /^[0-9a-f]{16}$/i.test(typed.trim())
