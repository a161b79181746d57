/**
 * The live intake: access, session key, Inbox, doorbell, in this order (`platforms-a A12`, law 2). Batches stay batches: one
 * commit for all of them, no fiber per message.
 */
import { Clock, Effect, Layer, Metric, Random, Result } from "effect"
import { Access } from "../Access/Access.ts"
import { BotLoopGuard as BotLoopGuardSetting } from "../Access/AccessSettings.ts"
import * as BotLoopGuard from "../Access/BotLoopGuard.ts"
import { Strangers } from "../Access/Strangers.ts"
import { GroupSessionsPerUser, ThreadSessionsPerUser } from "../Config/GatewaySettings.ts"
import { Settings } from "../Config/Settings.ts"
import { buried, type InboxRow, type NewInboxRow, taken } from "../Storage/Inbox.ts"
import { Journal } from "../Storage/Journal.ts"
import { sanitizeText } from "../Storage/StoredText.ts"
import { type Inbound, Intake, type IntakeOutcome } from "./Intake.ts"
import { Lanes } from "./Lanes.ts"
import * as SessionKey from "./SessionKey.ts"

/** Sessions whose newest row id is remembered, so that a doorbell can name its predecessor. */
const rungBound = 10_000
/** Bytes kept of what did not decode (`relay I3a`). */
const buriedBound = 64 * 1024

const counted = (outcome: IntakeOutcome) =>
  Metric.counter("inbox_taken_total", {
    description: "messages by what became of them at the intake",
    incremental: true
  }).pipe(Metric.withAttributes({ outcome }))
const counters = { taken: counted("taken"), duplicate: counted("duplicate"), refused: counted("refused") }

/** Unique within the bot (`relay I3`, I3a): platform, chat and message; `null` = the platform gave the message no id. */
const messageKeyOf = ({ event, link }: Inbound): string | null =>
  event.messageId === null
    ? null
    : JSON.stringify(["m", link, event.source.platform, event.source.chatId, event.messageId])

const bufferKeyOf = (link: string, bufferId: string | null): string | null =>
  bufferId === null ? null : JSON.stringify(["b", link, bufferId])

export const layer = Layer.effect(
  Intake,
  Effect.gen(function* () {
    const access = yield* Access
    const strangers = yield* Strangers
    const journal = yield* Journal
    const lanes = yield* Lanes
    const clock = yield* Clock.Clock
    const settings = yield* Settings
    const keyOptions: SessionKey.KeyOptions = {
      profile: null,
      groupSessionsPerUser: yield* settings.get(GroupSessionsPerUser),
      threadSessionsPerUser: yield* settings.get(ThreadSessionsPerUser)
    }
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

    const admit = Effect.fnUntraced(function* (inbound: Inbound) {
      const { event, provenance } = inbound
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
      const messageKey = messageKeyOf(inbound)
      const bufferKey = bufferKeyOf(inbound.link, inbound.bufferId)
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
        const rows: Array<NewInboxRow | null> = []
        for (const inbound of batch) rows.push(yield* admit(inbound))
        const admitted = rows.filter((row) => row !== null)
        const receipt = admitted.length === 0 ? [] : yield* journal.commit(admitted.map(taken))
        const outcomes: Array<IntakeOutcome> = []
        let at = 0
        const count = { taken: 0, duplicate: 0, refused: 0 }
        for (const row of rows) {
          const stored = row === null ? undefined : receipt[at++]
          const outcome = row === null ? "refused" : stored === undefined ? "duplicate" : "taken"
          outcomes.push(outcome)
          count[outcome]++
          if (row === null || stored === undefined) continue
          const id = Number(stored.id)
          const inboxRow: InboxRow = { ...row, id, state: "waiting", starts: 0 }
          lanes.ring(inboxRow, previousOf(row.sessionKey, id))
        }
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
              raw: raw.slice(0, buriedBound),
              reason,
              at: clock.currentTimeMillisUnsafe()
            })
          ])
        ),
      interrupt: (sessionKey) => lanes.interrupt(sanitizeText(sessionKey), "connector")
    }
  })
)
