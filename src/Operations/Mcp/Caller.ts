/**
 * Who calls a tool. An operator holds the key of this gateway; an agent holds a token of one conversation, made by this
 * process alone: it reads no other conversation with it, and it is void after the next start.
 */
import { createHash, createHmac, randomBytes } from "node:crypto"
import { Context, Layer, Redacted } from "effect"
import { registerSecret } from "../../Config/Redact.ts"
import { sameText } from "../Guessing.ts"

export type Caller = { readonly _tag: "Operator" } | { readonly _tag: "Agent"; readonly sessionKey: string }

/** A name for what somebody has asked for, that tells nobody else anything. */
export const nameOf = (caller: Caller): string =>
  caller._tag === "Operator" ? "operator" : createHash("sha256").update(caller.sessionKey).digest("hex").slice(0, 16)

export class SessionTokens extends Context.Service<
  SessionTokens,
  {
    readonly of: (sessionKey: string) => Redacted.Redacted
    /** `null`: it is none of ours. */
    readonly sessionOf: (token: string) => string | null
  }
>()("Operations/Mcp/SessionTokens") {
  static readonly layer = Layer.sync(SessionTokens, () => {
    const secret = randomBytes(32)
    const sign = (name: string): string => createHmac("sha256", secret).update(name).digest("base64url")
    return {
      of: (sessionKey) => {
        const name = Buffer.from(sessionKey).toString("base64url")
        const token = `sbs_${name}.${sign(name)}`
        registerSecret(token)
        return Redacted.make(token)
      },
      sessionOf: (token) => {
        const [, name, signature] = /^sbs_([\w-]{1,2000})\.([\w-]{43})$/.exec(token) ?? []
        if (name === undefined || signature === undefined || !sameText(signature, sign(name))) return null
        return Buffer.from(name, "base64url").toString("utf8")
      }
    }
  })
}
