/**
 * Names of what we say (`delivery O1`): the same on every retry and every run of the same turn, different for everything
 * else, whatever the text is. The installation is part of them, so that a new database never repeats an old one's keys.
 */
import { createHash } from "node:crypto"

const digest = (text: string): string => createHash("sha256").update(text).digest("hex")

/** 32 hex characters from the parts that identify a message; parts may hold anything. */
export const make = (...parts: ReadonlyArray<string | number>): string => digest(JSON.stringify(parts)).slice(0, 32)

/**
 * The same, led by the number of its cause (an Inbox row): keys of later causes sort behind earlier ones, so that the
 * unique index over them grows at its end instead of everywhere.
 */
export const ordered = (cause: number, ...parts: ReadonlyArray<string | number>): string =>
  cause.toString(16).padStart(10, "0").slice(-10) + digest(JSON.stringify(parts)).slice(0, 22)

/** 16 hex characters of a text: tells one edit from another (`relay O5`). */
export const contentHash = (text: string): string => digest(text).slice(0, 16)
