/** `/compress`: a summary takes the place of what was said (`commands`, `conversation H`). Without a summary nothing changes. */
import { Duration, Effect } from "effect"
import { Agent } from "../../Agent/Agent.ts"
import { Sessions } from "../../Session/Sessions.ts"
import { type StoredMessage, Transcript } from "../../Storage/Transcript.ts"
import { askerOf, forgotten, planned } from "./Asking.ts"
import type { Run } from "./CommandDef.ts"
import * as Said from "./CommandTexts.ts"

const leastMessages = 4
const historyBound = 2000
/** The session waits for the summary, so that waiting has an end. */
const patience = Duration.minutes(2)

export interface CompressWish {
  readonly preview: boolean
  readonly aggressive: boolean
  /** Exchanges that stay word for word. */
  readonly keep: number
  readonly focus: string | null
}

export const wishOf = (args: string): CompressWish => {
  const words = args.split(/\s+/).filter((word) => word !== "")
  const flags = new Set(words.filter((word) => word.startsWith("--")).map((word) => word.toLowerCase()))
  const rest = words.filter((word) => !word.startsWith("--"))
  let keep = 0
  if (rest[0]?.toLowerCase() === "here") {
    rest.shift()
    keep = /^\d{1,3}$/.test(rest[0] ?? "") ? Number(rest.shift()) : 2
  }
  return {
    preview: flags.has("--preview") || flags.has("--dry-run"),
    aggressive: flags.has("--aggressive"),
    keep,
    focus: rest.length === 0 ? null : rest.join(" ")
  }
}

const tokensOf = (texts: ReadonlyArray<string>): number =>
  Math.ceil(texts.reduce((sum, text) => sum + text.length, 0) / 4)

/** Where the last `keep` exchanges begin: an exchange begins with the user. */
const keptFrom = (history: ReadonlyArray<StoredMessage>, keep: number): number => {
  let from = history.length
  for (let left = keep; left > 0 && from > 0; left--) {
    from = history.slice(0, from).findLastIndex(({ role }) => role === "user")
    if (from < 0) return 0
  }
  return from
}

const verbatim = (messages: ReadonlyArray<StoredMessage>): string =>
  messages.map(({ content, role }) => `${role}: ${content}`).join("\n\n")

export const compress: Run = Effect.fnUntraced(function* (invocation) {
  const agent = yield* Agent
  if (agent.compress === undefined) return { text: Said.dispatch.notOfThisAgent("compress", agent.name) }
  const wish = wishOf(invocation.args)
  if (wish.aggressive) return { text: Said.session.compressRefused }
  const { route } = invocation.session
  if (route === null) return { text: Said.session.noSession }
  const history = yield* (yield* Transcript).rows(route.sessionId, historyBound)
  const from = keptFrom(history, wish.keep)
  const old = history.slice(0, from)
  if (old.length < leastMessages) return { text: Said.session.compressTooShort }
  const before = tokensOf(old.map(({ content }) => content))
  if (wish.preview) return { text: Said.session.compressPreview(old.length, before) }
  const summary = yield* agent.compress(old, wish.focus).pipe(
    Effect.timeoutOption(patience),
    Effect.map((found) => (found._tag === "Some" ? found.value.trim() : "")),
    Effect.catch((error) => Effect.as(Effect.logWarning("a summary failed", error.message), ""))
  )
  if (summary === "") return { text: Said.session.compressFailed }
  const kept = history.slice(from)
  const text = kept.length === 0 ? summary : `${summary}\n\n${verbatim(kept)}`
  const sessions = yield* Sessions
  const after = yield* forgotten(invocation)
  return yield* planned(sessions.compress(askerOf(invocation), text), () => ({
    text: Said.session.compressed(old.length, before, tokensOf([summary])),
    after
  }))
})
