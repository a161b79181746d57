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
import type { Capabilities, Outlet, SendRank, SendRequest, Target } from "./Outlet.ts"
import { split } from "./Splitter.ts"
import { length } from "./TextLength.ts"

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
  /** Nothing else will arrive in that chat either (`delivery T11`). */
  readonly targetGone?: boolean
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
    if (row.payload.removes === true) return takeAway(row, context, settle === "key")
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

const ranks: Readonly<Record<OutboxRow["kind"], SendRank>> = {
  final: "final",
  prompt: "approval",
  notice: "notice",
  scheduled: "scheduled",
  commentary: "interim",
  tool: "edit"
}

/** How a row's text leaves, beside what it says. */
export const waysOf = ({ kind, payload, sessionKey }: OutboxRow): Pick<SendRequest, "rank" | "followUp"> => ({
  rank: ranks[kind],
  ...(payload.followUp === undefined || sessionKey === null ? {} : { followUp: { kind: payload.followUp, sessionKey } })
})

/** A chat as the dead targets know it. */
export const chatOf = ({ payload }: OutboxRow): string => `${payload.platform}:${payload.chatId}`

const ended = (
  row: OutboxRow,
  state: OutboxRow["state"],
  error: SendError | null = null,
  messageId: string | null = null
): Outcome => ({ row: { ...row, state }, messageId, error })

/** An edit says the same thing however often it is repeated. */
const isEdit = (row: OutboxRow): boolean =>
  row.preview !== null && row.preview.messageId !== null && (row.payload.pieces?.sent ?? 0) === 0

/** It may be on the screen already: it was on its way, or a preview of it was and nobody knows how that ended. */
const isUnknown = (row: OutboxRow): boolean =>
  row.state === "ambiguous" ||
  row.state === "sending" ||
  (row.preview !== null && row.preview.isExact !== true && !row.payload.marked && row.payload.pieces === undefined)

/** The platform cannot tell whether it arrived: say it once more and say so, or hold it (`delivery O4`). */
const settleUnknown = (row: OutboxRow, context: Context): Effect.Effect<Outcome> => {
  if (row.payload.marked) return Effect.succeed(ended(row, "dead", unknownTwice))
  if (context.ambiguous === "hold") return Effect.succeed(ended(row, "held", heldBack))
  const marked: OutboxRow = {
    ...row,
    state: "pending",
    preview: null,
    payload: {
      ...row.payload,
      text: row.payload.pieces === undefined ? repeatMark + row.payload.text : row.payload.text,
      marked: true
    }
  }
  return carryOut(marked, context, false)
}

/** Skipped without an attempt: surely not carried out. */
export const toDeadTarget = (row: OutboxRow): Outcome => ended(row, "dead", deadTarget)

const deadTarget = new SendError({ kind: "forbidden", message: "dead_target: this chat could not be reached lately" })
const unknownTwice = new SendError({ kind: "ambiguous", message: "no answer came, also to the marked repeat" })
const heldBack = new SendError({ kind: "ambiguous", message: "no answer came; held until an operator decides" })

const carryOut = (row: OutboxRow, context: Context, keyed: boolean): Effect.Effect<Outcome> => {
  const { pieces } = row.payload
  const marked = keyed || isEdit(row) ? Effect.void : markSending(row, context)
  const attempt = Effect.andThen(
    marked,
    pieces === undefined
      ? Effect.map(say(row, context.outlet, keyed), (messageId) => ended(row, "sent", null, messageId))
      : sayPiece(row, pieces, context, keyed)
  )
  return Effect.catch(attempt, (error) => {
    if (isGone(error) && isEdit(row) && !keyed) return sayAnew(row, context)
    const isRefused = error.kind === "bad_format" && pieces?.plain !== true
    return isRefused || (error.kind === "too_long" && pieces === undefined && !isEdit(row))
      ? Effect.succeed({
          row: { ...inPieces(row, context.outlet, isRefused), state: "pending" as const },
          messageId: null,
          error
        })
      : failed(row, error, context)
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

/** A preview that nothing takes the place of; what surely cannot be reached is left alone. */
const takeAway = (row: OutboxRow, context: Context, keyed: boolean): Effect.Effect<Outcome> => {
  const { outlet } = context
  const { preview } = row
  if (preview === null || (preview.messageId === null && (!keyed || preview.isExact === true)))
    return Effect.succeed(ended(row, "superseded"))
  const target = targetOf(row)
  const gone = (messageId: string) =>
    outlet.remove?.({ target, messageId }) ??
    outlet.edit({ key: `${row.key}:gone`, target, messageId, text: row.payload.text, final: true })
  return idOfPreview(row, preview, outlet).pipe(
    Effect.flatMap((messageId) => (messageId === null ? Effect.void : gone(messageId))),
    Effect.as(ended(row, "sent")),
    Effect.catch((error) => (isGone(error) ? Effect.succeed(ended(row, "sent")) : failed(row, error, context)))
  )
}

/** What was to be edited is not there: deleted by a person, or too old. */
const isGone = (error: SendError): boolean => error.kind === "not_found" || error.kind === "unsupported"

/** Without a key a message of its own is a send like any other: marked on disk, and settled when its outcome is unknown. */
const sayAnew = (row: OutboxRow, context: Context): Effect.Effect<Outcome> => {
  const anew: OutboxRow = { ...row, preview: null }
  return row.state === "sending" || row.state === "ambiguous"
    ? settleUnknown(anew, context)
    : carryOut(anew, context, false)
}

const say = (row: OutboxRow, outlet: Outlet, keyed: boolean): Effect.Effect<string | null, SendError> => {
  const { payload, preview } = row
  const target = targetOf(row)
  const can = outlet.capabilities(target)
  const printed = printedFor(can, payload.text)
  const send = (key: string, replyTo: string | null = payload.replyTo) =>
    Effect.map(
      outlet.send({ key, target, ...printed, replyTo, notify: payload.notify, ...waysOf(row) }),
      (receipt) => receipt.messageId
    )
  // Confirmed, letter for letter: there is nothing left to say.
  if (
    preview?.isExact === true &&
    preview.text === printed.text &&
    (printed.formatting === undefined || preview.messageId === null)
  )
    return Effect.succeed(preview.messageId)
  const rich = richSend(row, outlet)
  const whole = Effect.catchIf(
    rich === null
      ? send(row.key)
      : Effect.catchIf(
          rich,
          (error) => error.kind === "unsupported",
          () => (length(printed.text, can.lengthUnit) > can.maxLength ? Effect.fail(tooLong) : send(row.key))
        ),
    (error) => error.kind === "not_found" && payload.replyTo !== null && error.reach !== "chat",
    () => send(row.key, null)
  )
  if (preview === null || (preview.messageId === null && !keyed)) return whole
  const edit = (messageId: string | null) =>
    messageId === null
      ? // The platform gives no ids: what is shown cannot be changed.
        send(`${row.key}:again`)
      : outlet
          .edit({
            key: `${row.key}:${contentHash(printed.text)}`,
            target,
            messageId,
            ...printed,
            final: true
          })
          .pipe(
            Effect.as(messageId),
            // The preview is gone, deleted by a person or too old to edit: the answer still has to be seen.
            Effect.catchIf(
              (error) => keyed && isGone(error),
              () => send(`${row.key}:again`)
            )
          )
  return Effect.flatMap(idOfPreview(row, preview, outlet), edit)
}

/** Sent or not before the crash: under the same key the platform shows it once and tells its id. */
const idOfPreview = (
  row: OutboxRow,
  preview: NonNullable<OutboxRow["preview"]>,
  outlet: Outlet
): Effect.Effect<string | null, SendError> =>
  preview.messageId === null
    ? Effect.map(
        outlet.send({
          key: row.key,
          target: targetOf(row),
          text: preview.text,
          replyTo: row.payload.replyTo,
          notify: false,
          expectEdits: true,
          ...waysOf(row)
        }),
        ({ messageId }) => messageId
      )
    : Effect.succeed(preview.messageId)

const tooLong = new SendError({ kind: "too_long", message: "in place of a file that cannot be sent" })

/** As the platform is sent it; stored is what the agent wrote, so that a refusal can be answered with other marks or none. */
const printedFor = (can: Capabilities, text: string): Printed =>
  can.printsItself === true ? { text } : print(can.dialect, text)

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

/**
 * The platform's limit is lower than it declared: the same text in pieces of half the size; or it refused the marks: the
 * whole text without any, re-split. One piece an attempt, so that none is sent twice (`delivery O3`).
 */
const inPieces = (row: OutboxRow, outlet: Outlet, plain: boolean): OutboxRow => {
  const { maxLength } = outlet.capabilities(targetOf(row))
  const limit = Math.max(1, plain ? maxLength : Math.floor(maxLength / 2))
  return { ...row, payload: { ...row.payload, pieces: { limit, sent: 0, ...(plain ? { plain } : {}) } } }
}

type Pieces = NonNullable<OutboxRow["payload"]["pieces"]>

/** The chunk may carry an indicator of its own already, so these have none. */
const allPieces = (text: string, { limit, plain }: Pieces, can: Capabilities): ReadonlyArray<Printed> => {
  const options = { limit, unit: can.lengthUnit, indicators: false }
  if (plain !== true) {
    const pieces = split(text, { ...options, convert: measureOf(can.dialect) })
    return pieces.map((piece) => printedFor(can, piece))
  }
  const bare = unmarked(text)
  return split(bare.text, options).map((piece) => ({ ...bare, text: piece }))
}

const sayPiece = (
  row: OutboxRow,
  pieces: Pieces,
  context: Context,
  keyed: boolean
): Effect.Effect<Outcome, SendError> => {
  const { payload, preview } = row
  const target = targetOf(row)
  const { outlet } = context
  const all = allPieces(payload.text, pieces, outlet.capabilities(target))
  const piece = all[pieces.sent] ?? { text: "" }
  const key = `${row.key}:${pieces.plain === true ? "plain" : ""}${pieces.sent}`
  const printed = { ...piece, text: payload.marked ? repeatMark + piece.text : piece.text }
  const send = Effect.map(
    outlet.send({
      key,
      target,
      ...printed,
      replyTo: pieces.sent === 0 ? payload.replyTo : null,
      notify: payload.notify,
      ...waysOf(row)
    }),
    ({ messageId }) => messageId
  )
  const isShown = pieces.sent === 0 && preview !== null && (preview.messageId !== null || keyed)
  const said = !isShown
    ? send
    : Effect.flatMap(idOfPreview(row, preview, outlet), (messageId) =>
        messageId === null
          ? send
          : Effect.as(outlet.edit({ key, target, messageId, ...printed, final: true }), messageId)
      )
  return Effect.map(said, (messageId) => {
    const sent = pieces.sent + 1
    const next: OutboxRow = {
      ...row,
      state: sent < all.length ? "pending" : "sent",
      attempts: 0,
      notBefore: 0,
      payload: { ...payload, marked: false, pieces: { ...pieces, sent } }
    }
    return { row: next, messageId, error: null }
  })
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
      ? { ...ended({ ...row, attempts }, "dead", error), targetGone: next.targetGone }
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
