/** What `SWITCHBOARD_STORAGE` may say. It chooses; nothing is opened here. */
import { Redacted } from "effect"
import { registerSecret } from "./Secrets.ts"

/** Where everything durable is kept; the URL of PostgreSQL holds a password, hence `Redacted`. */
export type StorageChoice =
  | { readonly _tag: "sqlite" }
  | { readonly _tag: "memory" }
  | { readonly _tag: "postgres"; readonly url: Redacted.Redacted<string> }

const unescape = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    // A stray percent sign: the driver decides what it means.
    return text
  }
}

/** `sqlite`, `memory` or a URL; `undefined` = none of them. Registers the password of a URL (`operations Z4`). */
export const storageChoice = (raw: unknown): StorageChoice | undefined => {
  const text = typeof raw === "string" ? raw.trim() : ""
  if (text === "sqlite" || text === "memory") return { _tag: text }
  if (!/^postgres(?:ql)?:\/\//.test(text) || !URL.canParse(text)) return undefined
  const password = new URL(text).password
  registerSecret(password)
  registerSecret(unescape(password))
  return { _tag: "postgres", url: Redacted.make(text) }
}
