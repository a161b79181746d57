/**
 * One attempt at one Outbox row, and what follows from its outcome: sent, again later, unknown, given up (`delivery O3`,
 * O4, O5). It repeats a send of unknown outcome only as the link's declaration allows (law 3).
 */
import { type Clock, Effect, Random } from "effect"
import { SendError } from "../Message/SendError.ts"
import type { Journal } from "../Storage/Journal.ts"
import { type OutboxRow, progressed } from "../Storage/Outbox.ts"
import * as Backoff from "./Backoff.ts"
import { contentHash } from "./IdempotencyKey.ts"
import { measureOf, print, type Printed, unmarked } from "./Markdown/Dialect.ts"
import type { Capabilities, Outlet, Target } from "./Outlet.ts"
import { split } from "./Splitter.ts"

/** Heads a message that may be on the screen already (`delivery O4` c); its length is reserved when a reply is split. */
export const repeatMark = "⚠️ This may be a repeat:\n\n"

export interface Context {
  readonly outlet: Outlet
  readonly journal: Journal["Service"]
  readonly clock: Clock.Clock
  /** What becomes of an unknown outcome where the platform offers no way to settle it. */
  readonly ambiguous: "mark" | "hold"
  /** Milliseconds after which a row is given up. */
  readonly maxAge: number
}

export interface Outcome {
  /** The row as it stands now; `pending` and `ambiguous` = to be tried again at `notBefore`. */
  readonly row: OutboxRow
  readonly messageId: string | null
  readonly error: SendError | null
}

/** One attempt. Never fails: what went wrong is in the outcome. */
export const make = (row: OutboxRow, context: Context): Effect.Effect<Outcome> =>
  Effect.suspend(() => {
    if (context.clock.currentTimeMillisUnsafe() - row.createdAt > context.maxAge)
      return Effect.succeed(ended(row, "dead"))
    const { settle } = context.outlet.capabilities(targetOf(row))
    return settle !== "key" && isUnknown(row) && !isEdit(row)
      ? settleUnknown(row, context)
      : carryOut(row, context, settle === "key")
  })

export const targetOf = (row: OutboxRow): Target => ({
  platform: row.payload.platform,
  chatId: row.payload.chatId,
  chatType: row.payload.chatType,
  threadId: row.payload.threadId,
  scopeId: row.payload.scopeId
})

const ended = (
  row: OutboxRow,
  state: OutboxRow["state"],
  error: SendError | null = null,
  messageId: string | null = null
): Outcome => ({ row: { ...row, state }, messageId, error })

/** An edit says the same thing however often it is repeated. */
const isEdit = (row: OutboxRow): boolean => row.preview !== null && row.preview.messageId !== null

/** It may be on the screen already: it was on its way, or a preview of it was and nobody knows how that ended. */
const isUnknown = (row: OutboxRow): boolean =>
  row.state === "ambiguous" || row.state === "sending" || (row.preview !== null && !row.payload.marked)

/** The platform cannot tell whether it arrived: say it once more and say so, or hold it (`delivery O4`). */
const settleUnknown = (row: OutboxRow, context: Context): Effect.Effect<Outcome> => {
  if (row.payload.marked) return Effect.succeed(ended(row, "dead", unknownTwice))
  if (context.ambiguous === "hold") return Effect.succeed(ended(row, "held", heldBack))
  const marked: OutboxRow = {
    ...row,
    state: "pending",
    preview: null,
    payload: { ...row.payload, text: repeatMark + row.payload.text, marked: true }
  }
  return carryOut(marked, context, false)
}

const unknownTwice = new SendError({ kind: "ambiguous", message: "no answer came, also to the marked repeat" })
const heldBack = new SendError({ kind: "ambiguous", message: "no answer came; held until an operator decides" })

const carryOut = (row: OutboxRow, context: Context, keyed: boolean): Effect.Effect<Outcome> => {
  const attempt = (keyed || isEdit(row) ? Effect.void : markSending(row, context)).pipe(
    Effect.andThen(say(row, context.outlet, keyed))
  )
  return Effect.matchEffect(attempt, {
    onSuccess: (messageId) => Effect.succeed(ended(row, "sent", null, messageId)),
    onFailure: (error) => (isGone(error) && isEdit(row) && !keyed ? sayAnew(row, context) : failed(row, error, context))
  })
}

/** Where a repeat would show, the disk must know of the attempt before the platform does. */
const markSending = (row: OutboxRow, context: Context): Effect.Effect<void, SendError> =>
  context.journal
    .commit([progressed({ row: { ...row, state: "sending" }, at: context.clock.currentTimeMillisUnsafe() })])
    .pipe(
      Effect.mapError((error) => new SendError({ kind: "transient", message: error.message })),
      Effect.asVoid
    )

/** What was to be edited is not there: deleted by a person, or too old. */
const isGone = (error: SendError): boolean => error.kind === "not_found" || error.kind === "unsupported"

/** Without a key a message of its own is a send like any other: marked on disk, and settled when its outcome is unknown. */
const sayAnew = (row: OutboxRow, context: Context): Effect.Effect<Outcome> => {
  const anew: OutboxRow = { ...row, preview: null }
  return row.state === "sending" || row.state === "ambiguous"
    ? settleUnknown(anew, context)
    : carryOut(anew, context, false)
}

type Send = (
  key: string,
  printed: Printed,
  replyTo?: string | null
) => Effect.Effect<string | null, SendError>

const say = (row: OutboxRow, outlet: Outlet, keyed: boolean): Effect.Effect<string | null, SendError> => {
  const { payload, preview } = row
  const target = targetOf(row)
  const can = outlet.capabilities(target)
  const printed = printedFor(can, payload.text)
  const send: Send = (key, { formatting, text }, replyTo = payload.replyTo) =>
    Effect.map(
      outlet.send({ key, target, text, ...(formatting && { formatting }), replyTo, notify: payload.notify }),
      (receipt) => receipt.messageId
    )
  const rich = richSend(row, outlet)
  const whole = Effect.catchIf(
    rich === null
      ? send(row.key, printed)
      : Effect.catchIf(
          rich,
          (error) => error.kind === "unsupported",
          () => send(row.key, printed)
        ),
    (error) => error.kind === "too_long" || error.kind === "bad_format" || isAnchorGone(row, error),
    (error) => {
      if (error.kind === "too_long") return sendSmaller(row, can, send)
      return error.kind === "bad_format" ? sendPlain(row, can, send) : send(row.key, printed, null)
    }
  )
  if (preview === null || (preview.messageId === null && !keyed)) return whole
  const editTo = (messageId: string, { formatting, text }: Printed) =>
    outlet.edit({
      key: `${row.key}:${contentHash(text)}`,
      target,
      messageId,
      text,
      ...(formatting && { formatting }),
      final: true
    })
  const edit = (messageId: string | null) =>
    messageId === null
      ? // The platform gives no ids: what is shown cannot be changed.
        send(`${row.key}:again`, printed)
      : editTo(messageId, printed).pipe(
          Effect.as(messageId),
          Effect.catchIf(
            (error) => error.kind === "bad_format",
            () => {
              const [first = printed, ...rest] = plainPieces(row, can)
              return Effect.andThen(editTo(messageId, first), sendAll(row, "plain", rest, send, 1, messageId))
            }
          ),
          // The preview is gone, deleted by a person or too old to edit: the answer still has to be seen.
          Effect.catchIf(
            (error) => keyed && isGone(error),
            () => send(`${row.key}:again`, printed)
          )
        )
  return preview.messageId === null
    ? // Sent or not before the crash: under the same key the platform shows it once and tells its id.
      Effect.flatMap(
        outlet.send({
          key: row.key,
          target,
          text: preview.text,
          replyTo: payload.replyTo,
          notify: false,
          expectEdits: true
        }),
        ({ messageId }) => edit(messageId)
      )
    : edit(preview.messageId)
}

/** As the platform is sent it; stored is what the agent wrote, so that a refusal can be answered with other marks or none. */
const printedFor = (can: Capabilities, text: string): Printed => (can.printsItself === true ? { text } : print(can.dialect, text))

const isAnchorGone = (row: OutboxRow, error: SendError): boolean =>
  error.kind === "not_found" && row.payload.replyTo !== null && error.reach !== "chat"

/** The rest of a text that a platform did not take whole, each piece under a key of its own; gives the last id. */
const sendAll = (
  row: OutboxRow,
  form: string,
  pieces: ReadonlyArray<Printed>,
  send: Send,
  first: number,
  before: string | null
): Effect.Effect<string | null, SendError> =>
  Effect.reduce(
    pieces,
    (): string | null => before,
    (_, piece, index) =>
      send(`${row.key}:${form}${first + index}`, piece, first + index === 0 ? row.payload.replyTo : null)
  )

/** The whole text without marks, in pieces of the full size: nothing of it is cut (`delivery O3`, Z6). */
const plainPieces = (row: OutboxRow, can: Capabilities): ReadonlyArray<Printed> => {
  const { formatting, text } = unmarked(row.payload.text)
  return split(text, { limit: can.maxLength, unit: can.lengthUnit, indicators: false }).map((piece) => ({
    text: piece,
    formatting
  }))
}

const sendPlain = (row: OutboxRow, can: Capabilities, send: Send) =>
  sendAll(row, "plain", plainPieces(row, can), send, 0, null)

/** A file or a prompt in the platform's own form; `null` = the row is text, or text must do (`relay H5`). */
const richSend = (row: OutboxRow, outlet: Outlet): Effect.Effect<string | null, SendError> | null => {
  const { media, marked, notify, prompt, replyTo } = row.payload
  const target = targetOf(row)
  const can = outlet.capabilities(target)
  const common = { key: row.key, target, replyTo }
  if (media !== undefined && outlet.media !== undefined && can.media?.has(media.kind) === true) {
    const caption = marked ? repeatMark + (media.caption ?? "") : media.caption
    return Effect.map(outlet.media({ ...common, ...media, caption, notify }), ({ messageId }) => messageId)
  }
  if (prompt !== undefined && outlet.prompt !== undefined && can.prompt === true) {
    const text = marked ? repeatMark + prompt.text : prompt.text
    return Effect.map(outlet.prompt({ ...common, ...prompt, text }), ({ messageId }) => messageId)
  }
  return null
}

/** The platform's limit is lower than it declared: the same text in pieces of half the size (`delivery O3`). */
const sendSmaller = (row: OutboxRow, can: Capabilities, send: Send): Effect.Effect<string | null, SendError> => {
  // The chunk may carry an indicator of its own already.
  const pieces = split(row.payload.text, {
    limit: Math.max(1, Math.floor(can.maxLength / 2)),
    unit: can.lengthUnit,
    indicators: false,
    convert: measureOf(can.dialect)
  })
  return sendAll(
    row,
    "",
    pieces.map((piece) => printedFor(can, piece)),
    send,
    0,
    null
  )
}

const failed = (row: OutboxRow, error: SendError, context: Context): Effect.Effect<Outcome> =>
  Effect.map(Random.next, (random) => {
    const now = context.clock.currentTimeMillisUnsafe()
    const attempts = row.attempts + 1
    const next = Backoff.next({
      kind: error.kind,
      reach: error.reach ?? null,
      retryAfter: error.retryAfter ?? null,
      attempts,
      age: now - row.createdAt,
      maxAge: context.maxAge,
      random
    })
    return next._tag === "Dead"
      ? ended({ ...row, attempts }, "dead", error)
      : {
          row: {
            ...row,
            attempts,
            notBefore: now + next.delay,
            state: error.isAmbiguous ? "ambiguous" : "pending"
          },
          messageId: null,
          error
        }
  })
