/**
 * What a stranger is told (`access U1`–`U5`): nothing, or a code to show the owner. Nothing of his message is kept. The
 * code goes straight to his chat and is stored nowhere (P2), so a notice that fails is not sent again.
 */
import { createHash } from "node:crypto"
import { Clock, Context, Effect, FiberSet, Layer } from "effect"
import type { Provenance, Source } from "../Message/Source.ts"
import { Settings } from "../Config/Settings.ts"
import * as Reply from "../Delivery/Reply.ts"
import { SendQueues } from "../Delivery/SendQueues.ts"
import { Access } from "./Access.ts"
import { type AccessRules, RedactPii } from "./AccessSettings.ts"
import type { Decision } from "./Decision.ts"
import { principalOf } from "./Identity.ts"
import { Pairing, profileOf } from "./Pairing.ts"
import { scopeOf } from "./Platforms.ts"
import * as Texts from "./Texts.ts"

/** One line per principal in this time (`access U1`), and one look at the store (P5). */
const quietFor = 600_000
/** Principals that are remembered for it; the oldest is forgotten first. */
const rememberedBound = 10_000
/** Refused direct messages per platform and minute that cost more than the decision; the others hear nothing (law 6). */
const perMinute = 60
const noticesAtOnce = 64

const shortHash = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 12)

/** What a denied direct message gets; the first rule that applies (`access U2`). */
export const behaviorOf = (rules: AccessRules): "pair" | "ignore" => {
  if (rules.unauthorizedDmBehavior !== null) return rules.unauthorizedDmBehavior
  if (rules.facts.isMailbox) return "ignore"
  if (rules.defaultDmBehavior === "ignore") return "ignore"
  if (rules.dmPolicy === "pairing") return "pair"
  if (rules.dmPolicy === "allowlist" || rules.dmPolicy === "disabled") return "ignore"
  const lists = [rules.allowedUsers, rules.groupUsers, rules.groupChats, rules.gatewayAllowedUsers]
  return lists.some(({ size }) => size > 0) ? "ignore" : "pair"
}

export interface Stranger {
  readonly source: Source
  readonly provenance: Provenance
  readonly link: string
  readonly messageId: string | null
}

export class Strangers extends Context.Service<
  Strangers,
  {
    /**
     * Somebody was refused. `true`: he may speak after all, because he was paired a moment ago. Otherwise he is told what
     * he may be told, in the background; never fails, never waits for a platform.
     */
    readonly refused: (stranger: Stranger, decision: Decision) => Effect.Effect<boolean>
  }
>()("Access/Strangers") {
  static readonly layer = Layer.effect(
    Strangers,
    Effect.gen(function* () {
      const access = yield* Access
      const pairing = yield* Pairing
      const queues = yield* SendQueues
      const settings = yield* Settings
      const clock = yield* Clock.Clock
      const fibers = yield* FiberSet.make<void>()
      const fork = yield* FiberSet.runtime(fibers)<never>()
      const profile = Texts.profileOption(settings.home)
      const seen = new Map<string, number>()
      let sending = 0
      const strangers = new Map<string, { readonly since: number; count: number }>()

      /** The first time within ten minutes. */
      const isNew = (what: string, principal: string): boolean => {
        const key = `${what} ${principal}`
        const now = clock.currentTimeMillisUnsafe()
        const last = seen.get(key)
        if (last !== undefined && now - last < quietFor) return false
        seen.delete(key)
        seen.set(key, now)
        if (seen.size > rememberedBound) seen.delete(seen.keys().next().value!)
        return true
      }

      const hasRoom = (platform: string): boolean => {
        const now = clock.currentTimeMillisUnsafe()
        const current = strangers.get(platform)
        if (current !== undefined && now - current.since < 60_000) return ++current.count <= perMinute
        if (current === undefined && strangers.size >= 256) return false
        strangers.set(platform, { since: now, count: 1 })
        return true
      }

      const notice = Effect.fnUntraced(function* ({ link, messageId, source }: Stranger, text: string) {
        const outlet = queues.outlet(link)
        if (outlet === null) return yield* Effect.logInfo("a stranger's notice has no link to leave by", { link })
        yield* outlet
          .send({
            key: `pairing:${crypto.randomUUID()}`,
            target: Reply.targetOf(source),
            text,
            replyTo: messageId,
            notify: true
          })
          .pipe(
            Effect.timeout("30 seconds"),
            Effect.catch((error) =>
              Effect.logWarning("a stranger's notice was not delivered", {
                platform: source.platform,
                error: error._tag
              })
            )
          )
      })

      const pair = Effect.fnUntraced(
        function* (stranger: Stranger, userId: string) {
          const { platform, profile: stamped, userName } = stranger.source
          const asked = yield* pairing.request({ profile: profileOf(stamped), platform, userId, userName })
          switch (asked._tag) {
            case "Issued":
              return yield* notice(stranger, Texts.pairingCode(platform, asked.code, profile))
            case "Full":
              return yield* notice(stranger, Texts.pairingFull)
            case "Limited":
            case "AlreadyApproved":
              return
          }
        },
        Effect.catch((error) => Effect.logError("no pairing code could be made", error.message))
      )

      const warn = ({ source }: Stranger, userId: string, rule: string) =>
        Effect.flatMap(
          Effect.orElseSucceed(settings.get(RedactPii), () => true),
          (isHashed) => {
            const said = (text: string) => (isHashed ? shortHash(text) : text)
            const name = source.userName === null ? "" : ` (${said(source.userName.slice(0, 200))})`
            return Effect.logWarning(`Unauthorized user: ${said(userId.slice(0, 200))}${name} on ${source.platform}`, {
              rule
            })
          }
        )

      return {
        refused: Effect.fnUntraced(function* (stranger, decision) {
          const { provenance, source } = stranger
          const userId = source.userId?.trim() ?? ""
          if (userId === "") {
            yield* Effect.logDebug("a message without a sender was dropped", { platform: source.platform })
            return false
          }
          const principal = JSON.stringify([
            source.platform,
            principalOf(source.platform, userId, pairing.aliasesOf(source.platform))
          ])
          if (isNew("log", principal)) yield* warn(stranger, userId, decision.rule)
          if (scopeOf(source.chatType) !== "dm" || provenance.isBot === true || decision.rule === "error") return false
          const rules = yield* Effect.orElseSucceed(access.rules(source.platform), () => null)
          if (rules === null || !hasRoom(source.platform)) return false
          // A pairing counts from the next message on, also in the moment before this process has noticed it.
          yield* pairing.look
          if ((yield* access.decide(source, provenance)).allow) return true
          if (behaviorOf(rules) === "pair" && sending < noticesAtOnce && isNew("pair", principal)) {
            sending++
            fork(
              Effect.ensuring(
                pair(stranger, userId),
                Effect.sync(() => sending--)
              )
            )
          }
          return false
        })
      }
    })
  )
}
