/**
 * Names of what we say (`delivery O1`): the same on every retry and every run of the same turn, different for everything
 * else, whatever the text is. The installation is part of them, so that a new database never repeats an old one's keys.
 */
import { createHash } from "node:crypto"

const digest = (text: string): string => createHash("sha256").update(text).digest("hex")

/** 32 hex characters from the parts that identify a message; parts may hold anything. */
export const make = (...parts: ReadonlyArray<string | number>): string => digest(JSON.stringify(parts)).slice(0, 32)

/** 16 hex characters of a text: tells one edit from another (`relay O5`). */
export const contentHash = (text: string): string => digest(text).slice(0, 16)
