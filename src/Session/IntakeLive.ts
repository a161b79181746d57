/**
 * The live intake: access, session key, Inbox, doorbell, in this order (`platforms-a A12`, law 2). Batches stay batches: one
 * commit for all of them, no fiber per message.
 */
import { Clock, Duration, Effect, Layer, Metric, Random, Result, Schedule } from "effect"
import { Access } from "../Access/Access.ts"
import { BotLoopGuard as BotLoopGuardSetting } from "../Access/AccessSettings.ts"
import * as BotLoopGuard from "../Access/BotLoopGuard.ts"
import { Strangers } from "../Access/Strangers.ts"
import { GroupSessionsPerUser, ThreadSessionsPerUser } from "../Config/GatewaySettings.ts"
import { Settings } from "../Config/Settings.ts"
import { SendQueues } from "../Delivery/SendQueues.ts"
import { buried, Inbox, type NewInboxRow, taken } from "../Storage/Inbox.ts"
import { Installation } from "../Storage/Installation.ts"
import { Journal, type JournalError } from "../Storage/Journal.ts"
import { sanitizeText } from "../Storage/StoredText.ts"
import * as EditedMessage from "./EditedMessage.ts"
import { type Inbound, Intake, type IntakeOutcome } from "./Intake.ts"
import { Lanes } from "./Lanes.ts"
import * as SessionKey from "./SessionKey.ts"

/** Sessions whose newest row id is remembered, so that a doorbell can name its predecessor. */
const rungBound = 10_000
/** Bytes kept of what did not decode (`relay I3a`). */
const buriedBound = 64 * 1024

/** While the Inbox cannot be read nothing can be stored either: callers wait, as they do for a commit. */
const readAgain = Duration.seconds(1)

const counted = (outcome: IntakeOutcome) =>
  Metric.counter("inbox_taken_total", {
    description: "messages by what became of them at the intake",
    incremental: true
  }).pipe(Metric.withAttributes({ outcome }))
const counters = { taken: counted("taken"), duplicate: counted("duplicate"), refused: counted("refused") }

/** Unique within the bot (`relay I3`, I3a): platform, chat and message; `null` = the platform gave the message no id. */
export const messageKeyOf = ({ event, link, scope = link }: Inbound): string | null => {
  // What came with a capability is no message of the chat, but it has an id all the same.
  const id = event.messageId ?? (event.followUp === undefined ? null : event.source.messageId)
  return id === null ? null : JSON.stringify(["m", scope, event.source.platform, event.source.chatId, id])
}

const bufferKeyOf = (link: string, bufferId: string | null): string | null =>
  bufferId === null ? null : JSON.stringify(["b", link, bufferId])

/** At most that many bytes of UTF-8, whole characters. */
const firstBytes = (text: string, bytes: number): string =>
  Buffer.byteLength(text) <= bytes
    ? text
    : Buffer.from(text)
        .subarray(0, bytes)
        .toString("utf8")
        .replace(/\ufffd$/, "")

export const layer = Layer.effect(
  Intake,
  Effect.gen(function* () {
    const access = yield* Access
    const inbox = yield* Inbox
    const strangers = yield* Strangers
    const journal = yield* Journal
    const queues = yield* SendQueues
    const lanes = yield* Lanes
    const clock = yield* Clock.Clock
    const settings = yield* Settings
    const keyOptions: SessionKey.KeyOptions = {
      profile: null,
      groupSessionsPerUser: yield* settings.get(GroupSessionsPerUser),
      threadSessionsPerUser: yield* settings.get(ThreadSessionsPerUser)
    }
    const ours = `${(yield* Installation).promptNonce}.`
    const rung = new Map<string, number>()
    const guard = BotLoopGuard.make()
    const guardSettings = Effect.orElseSucceed(settings.get(BotLoopGuardSetting), () => BotLoopGuard.defaultLoopGuard)

    const previousOf = (sessionKey: string, id: number): number | null => {
      const previous = rung.get(sessionKey) ?? null
      rung.delete(sessionKey)
      rung.set(sessionKey, id)
      if (rung.size > rungBound) rung.delete(rung.keys().next().value!)
      return previous
    }

    const stored = Effect.fnUntraced(function* (
      rows: ReadonlyArray<NewInboxRow | null>
    ): Effect.fn.Return<ReadonlyArray<IntakeOutcome>, JournalError> {
      const admitted = rows.filter((row) => row !== null)
      const receipt = admitted.length === 0 ? [] : yield* journal.commit(admitted.map(taken))
      let at = 0
      return rows.map((row) => {
        if (row === null) return "refused"
        const stored = receipt[at++]
        if (stored === undefined) return "duplicate"
        const id = Number(stored.id)
        queues.opened(row.link, row.event.source.platform, row.event.source.chatId)
        lanes.ring({ ...row, id, state: "waiting", starts: 0 }, previousOf(row.sessionKey, id))
        return "taken"
      })
    })

    /** `relay I3a`. The only messages for which the Inbox is read before they are stored. */
    const edit = Effect.fnUntraced(function* (
      row: NewInboxRow,
      original: string | null
    ): Effect.fn.Return<IntakeOutcome, JournalError> {
      const earlier = yield* Effect.retry(
        inbox.byKeys([row.messageKey, original], row.bufferKey),
        Schedule.spaced(readAgain)
      ).pipe(Effect.orDie)
      const plan = EditedMessage.plan(row, original, earlier)
      if (plan === null) return "duplicate"
      yield* journal.commit(plan.writes)
      if (plan.changed !== null) lanes.edited(plan.changed)
      return "taken"
    })

    const admit = Effect.fnUntraced(function* (inbound: Inbound) {
      const { event, provenance } = inbound
      // A press is told to every gateway of the tenant: it is for the one that asked (`relay L1`).
      if (event.promptResponse !== null && !event.promptResponse.promptId.startsWith(ours)) {
        yield* Effect.logDebug("a press on another gateway's prompt", { platform: event.source.platform })
        return null
      }
      const decision = yield* access.decide(event.source, provenance)
      if (!decision.allow) {
        const { source } = event
        const stranger = { source, provenance, link: inbound.link, messageId: event.messageId }
        if (!(yield* strangers.refused(stranger, decision))) return null
      }
      const key = SessionKey.make(event.source, keyOptions)
      if (Result.isFailure(key)) {
        yield* Effect.logWarning("a message names an unsafe identifier and was refused", {
          platform: event.source.platform
        })
        return null
      }
      const loop = guard.hear(key.success, provenance.isBot, clock.currentTimeMillisUnsafe(), yield* guardSettings)
      if (loop !== "admit") {
        if (loop === "begins") {
          yield* Effect.logWarning("bots answer each other here and are not listened to for a while", {
            session: key.success
          })
        }
        return null
      }
      const own = messageKeyOf(inbound)
      const messageKey = own !== null && EditedMessage.isEdit(event) ? EditedMessage.keyOf(own, event.text) : own
      const bufferKey = bufferKeyOf(inbound.scope ?? inbound.link, inbound.bufferId)
      const row: NewInboxRow = {
        // An event with neither id is a row of its own each time (`relay I3a`).
        messageKey: messageKey ?? (bufferKey === null ? `x:${yield* Random.next}:${yield* Random.next}` : null),
        bufferKey,
        link: inbound.link,
        // The key as the tables hold it, so that actor, routes and rows mean the same one.
        sessionKey: sanitizeText(key.success),
        event,
        provenance,
        takenAt: clock.currentTimeMillisUnsafe()
      }
      return row
    })

    return {
      take: Effect.fnUntraced(function* (batch) {
        let rows: Array<NewInboxRow | null> = []
        const outcomes: Array<IntakeOutcome> = []
        for (const inbound of batch) {
          const row = yield* admit(inbound)
          if (row === null || !EditedMessage.isEdit(inbound.event)) {
            rows.push(row)
            continue
          }
          // What came before it may be the message that it edits.
          outcomes.push(...(yield* stored(rows)), yield* edit(row, messageKeyOf(inbound)))
          rows = []
        }
        outcomes.push(...(yield* stored(rows)))
        const count = { taken: 0, duplicate: 0, refused: 0 }
        for (const outcome of outcomes) count[outcome]++
        for (const outcome of ["taken", "duplicate", "refused"] as const) {
          if (count[outcome] > 0) yield* Metric.update(counters[outcome], count[outcome])
        }
        return outcomes
      }),
      bury: ({ bufferId, link, raw, reason }) =>
        Effect.asVoid(
          journal.commit([
            buried({
              bufferKey: bufferKeyOf(link, bufferId) ?? "",
              link,
              raw: firstBytes(raw, buriedBound),
              reason,
              at: clock.currentTimeMillisUnsafe()
            })
          ])
        ),
      interrupt: (sessionKey) => lanes.interrupt(sanitizeText(sessionKey), "connector")
    }
  })
)
