/**
 * What becomes of a typed command (`commands D`, W, A): who may give it, what it stands for, and that all it does is one
 * transaction with its answer and the end of its row. It never lets a command reach the agent as raw text.
 */
import { Clock, Context, Effect, FiberSet, Layer, Random } from "effect"
import { Access } from "../../Access/Access.ts"
import * as SlashAccess from "../../Access/SlashAccess.ts"
import { Agent } from "../../Agent/Agent.ts"
import { DestructiveSlashConfirm } from "../../Config/GatewaySettings.ts"
import { Settings } from "../../Config/Settings.ts"
import type { Source } from "../../Message/Source.ts"
import type { MessageEvent } from "../../Message/MessageEvent.ts"
import type { BusyPolicy, SessionView } from "../../Session/Turns.ts"
import { ended, type InboxRow, type NewInboxRow, taken, waitingDropped } from "../../Storage/Inbox.ts"
import { Journal, type JournalError } from "../../Storage/Journal.ts"
import { stored } from "../../Storage/Outbox.ts"
import { SendQueues } from "../../Delivery/SendQueues.ts"
import { mayAnswer } from "../MayAnswer.ts"
import { Confirmations } from "../Confirmations.ts"
import { type Prompt, Prompts } from "../Prompts.ts"
import { parse, textOf } from "../SlashCommand.ts"
import * as Texts from "../Texts.ts"
import { Voice } from "../Voice.ts"
import type { Caller } from "./Caller.ts"
import {
  type CommandDef,
  type CommandFailure,
  type CommandNeeds,
  classOf,
  type Invocation,
  type Outcome,
  policyOf
} from "./CommandDef.ts"
import * as Said from "./CommandTexts.ts"
import { entriesOf } from "./Help.ts"
import type { Offer } from "./Offer.ts"
import { type Meaning, meaningOf } from "./Meaning.ts"
import { asTyped } from "./Prefix.ts"
import { QuickCommandsSetting, ToolProgressCommand } from "./CommandSettings.ts"
import { commands, find } from "./Registry.ts"
import { Skills } from "./Skills.ts"

/** Commands that act outside the store at once, in the whole process; a further one is refused. */
const maxActing = 32
/** The preference that "always" sets. */
const confirmKey = "approvals.destructive_slash_confirm"

export class Dispatcher extends Context.Service<
  Dispatcher,
  {
    /** The canonical name and what happens to a running turn; `null`: no command, an ordinary message. */
    readonly read: (event: MessageEvent) => { readonly name: string; readonly policy: BusyPolicy } | null
    /** Carries the command of a row out, and gives the rows that it put into the Inbox. */
    readonly execute: (
      row: InboxRow,
      session: SessionView
    ) => Effect.Effect<ReadonlyArray<InboxRow>, CommandFailure | JournalError>
  }
>()("Conversation/Dispatcher") {
  static readonly layer = Layer.effect(
    Dispatcher,
    Effect.gen(function* () {
      const access = yield* Access
      const agent = yield* Agent
      const journal = yield* Journal
      const prompts = yield* Prompts
      const confirmations = yield* Confirmations
      const queues = yield* SendQueues
      const settings = yield* Settings
      const skills = yield* Skills
      const voice = yield* Voice
      const clock = yield* Clock.Clock
      const confirms = yield* settings.follow(DestructiveSlashConfirm)
      const quick = new Map(Object.entries(yield* settings.get(QuickCommandsSetting)))
      const verboseCommand = yield* settings.get(ToolProgressCommand)
      const needs = yield* Effect.context<CommandNeeds>()
      const acting = yield* FiberSet.make<void>()
      const now = () => clock.currentTimeMillisUnsafe()
      for (const name of quick.keys()) {
        if (commands.some((def) => def.name === name || def.aliases.includes(name))) {
          yield* Effect.logWarning(`quick_commands.${name} is never used: /${name} is a command of the gateway`)
        }
      }

      const isKnown = (name: string) => find(name) !== null || quick.has(name)

      const offerOf = (platform: string, sessionKey: string): Offer => ({
        platform,
        agent,
        announced: agent.commands?.(sessionKey) ?? [],
        skills: skills.all(),
        quick,
        verboseCommand
      })

      const callerOf = (source: Source): Caller & { readonly policy: SlashAccess.Policy } => {
        const policy = access.commands(source)
        return {
          scope: policy.scope,
          tier: policy.tier,
          isConfiguredAdmin: policy.isConfiguredAdmin,
          may: (name) => {
            const def = find(name)
            return SlashAccess.canRun(policy, name, def !== null && classOf(def, "") === "host")
          },
          policy
        }
      }

      /** Why the caller may not, as text (`commands A`); `null` = may. */
      const refusal = (
        names: ReadonlyArray<string>,
        isHost: boolean,
        { policy }: ReturnType<typeof callerOf>
      ): string | null => {
        const [shown = ""] = names
        if (!names.every((name) => SlashAccess.canRun(policy, name))) {
          return Texts.adminOnly(shown, SlashAccess.offered(policy))
        }
        return SlashAccess.canRun(policy, shown, isHost) ? null : Said.dispatch.hostInGroup(shown)
      }

      /** What this user may answer in the session, approvals first: a question takes words, commands are for approvals. */
      const openTo = (row: InboxRow, sessionKey: string): ReadonlyArray<Prompt> => {
        const mine = prompts.of(sessionKey).filter((prompt) => mayAnswer(access, prompt, row))
        const approvals = mine.filter(({ kind }) => kind === "approval")
        return approvals.length > 0 ? approvals : mine
      }

      const runBuiltIn = Effect.fnUntraced(function* (
        def: CommandDef,
        args: string,
        row: InboxRow,
        session: SessionView,
        caller: Caller,
        offer: Offer
      ) {
        if (def.inChats !== false && def.platforms !== undefined && !def.platforms.includes(offer.platform)) {
          return { text: Said.dispatch.otherPlatform(def.name, def.platforms) }
        }
        if (session.running !== null && policyOf(def, args) === "no") {
          return { text: Said.dispatch.notDuringTurn(def.name) }
        }
        const invocation: Invocation = {
          row,
          name: def.name,
          args,
          session,
          prompt: openTo(row, session.sessionKey)[0] ?? null,
          caller,
          offer,
          entries: () => entriesOf(commands, offer, caller.may),
          now: now(),
          random: yield* Random.next
        }
        const question =
          row.internal === undefined && confirms() && confirmations.asks(confirmKey)
            ? (def.confirm?.(invocation) ?? null)
            : null
        return question === null
          ? yield* def.run(invocation).pipe(Effect.provideContext(needs))
          : { text: "", ask: question }
      })

      const carryOut = (
        meaning: Meaning,
        row: InboxRow,
        session: SessionView,
        caller: ReturnType<typeof callerOf>,
        offer: Offer
      ): Effect.Effect<Outcome, CommandFailure> => {
        if (meaning._tag === "Said") return Effect.succeed({ text: meaning.text })
        const isHost =
          meaning._tag === "Quick" || (meaning._tag === "BuiltIn" && classOf(meaning.def, meaning.args) === "host")
        // Whoever may speak may ask whether their message is being worked on (`access S5`).
        const isOpen = meaning._tag === "BuiltIn" && meaning.def.name === "status" && session.running !== null
        const refused = isOpen ? null : refusal(meaning.names, isHost, caller)
        if (refused !== null) {
          const { platform, userId } = row.event.source
          return Effect.as(
            Effect.logInfo(`Slash command /${meaning.names[0]} denied for ${platform}:${userId ?? ""}`),
            { text: refused }
          )
        }
        switch (meaning._tag) {
          case "BuiltIn":
            return runBuiltIn(meaning.def, meaning.args, row, session, caller, offer)
          case "Quick":
            return Effect.succeed({ text: "", later: meaning.act })
          case "Turn":
            return Effect.succeed({
              text: session.running === null ? "" : Said.turn.queued(session.queued + 1),
              turn: { ...row.event, text: meaning.text, type: "text" as const }
            })
        }
      }

      const turnRow = (row: InboxRow, { beside, turn }: Outcome, at: number): NewInboxRow | null =>
        turn === undefined
          ? null
          : {
              messageKey: `command:${row.id}`,
              bufferKey: null,
              link: row.link,
              sessionKey: beside ?? row.sessionKey,
              event: turn,
              provenance: row.provenance,
              takenAt: at,
              internal: beside === undefined ? "queued" : "background"
            }

      /** Outside the actor, because it may take long; what it says is a further answer. */
      const act = (row: InboxRow, later: Effect.Effect<string>) =>
        FiberSet.run(
          acting,
          later.pipe(
            Effect.flatMap((text) =>
              voice.say(voice.occasion(row, `later:${row.id}`), { kind: "notice", text, notify: false })
            ),
            Effect.catch((error) => Effect.logError("what a command did was not told", error.message))
          )
        )

      const execute = Effect.fnUntraced(function* (row: InboxRow, session: SessionView) {
        const { source } = row.event
        const offer = offerOf(source.platform, session.sessionKey)
        const typed = parse(textOf(row.event, isKnown))
        const meaning = meaningOf(typed?.name ?? "", typed?.args ?? "", offer)
        let outcome: Outcome = yield* carryOut(meaning, row, session, callerOf(source), offer)
        if (outcome.later !== undefined && (yield* FiberSet.size(acting)) >= maxActing) {
          outcome = { text: Said.dispatch.busyActing }
        }
        // What it would have taken out of the queue is found again there.
        if (outcome.ask !== undefined) {
          yield* confirmations.ask(row, outcome.ask, confirmKey)
          return []
        }
        const open = outcome.answer === undefined ? [] : openTo(row, session.sessionKey)
        const at = now()
        const name = meaning._tag === "Said" ? (typed?.name ?? "") : meaning.names[0]
        const turn = turnRow(row, outcome, at)
        const occasion = voice.occasion(row, `command:${row.id}`)
        const owed = voice.rows(occasion, {
          kind: "notice",
          text: asTyped(outcome.text, source.platform),
          notify: false
        })
        const stops = meaning._tag === "BuiltIn" && policyOf(meaning.def, meaning.args) === "stop"
        const receipt = yield* journal.commit([
          ...owed.map(stored),
          ...(turn === null ? [] : [taken(turn)]),
          ended(row.id, "done", at),
          ...session.dropped.map((dropped) => ended(dropped.id, "dropped", at, `/${name}`)),
          ...(stops ? [waitingDropped(session.sessionKey, row.id, at, `/${name}`)] : []),
          ...(outcome.writes ?? [])
        ])
        queues.offer(
          owed.flatMap((answer, i) => (receipt[i] === undefined ? [] : [{ ...answer, seq: Number(receipt[i].seq) }]))
        )
        if (outcome.routed !== undefined) session.routed(outcome.routed)
        if (outcome.answer !== undefined) {
          const isForAll = /^all\b/i.test(typed?.args ?? "")
          for (const prompt of isForAll ? open : open.slice(0, 1)) {
            if (prompts.take(prompt)) yield* prompt.resolve(outcome.answer)
          }
        }
        if (outcome.after !== undefined) yield* outcome.after
        if (outcome.later !== undefined) yield* act(row, outcome.later)
        const id = turn === null ? undefined : receipt[owed.length]?.id
        return turn === null || id === undefined
          ? []
          : [{ ...turn, id: Number(id), state: "waiting" as const, starts: 0 }]
      })

      return {
        read: (event) => {
          const typed = parse(textOf(event, isKnown))
          if (typed === null || typed.name === null || typed.name === "") return null
          const meaning = meaningOf(typed.name, typed.args, offerOf(event.source.platform, ""))
          if (meaning._tag !== "BuiltIn") return { name: typed.name, policy: "now" }
          const { args, def } = meaning
          // A turn is not stopped for somebody who may not do that (`commands W2`).
          const { may } = callerOf(event.source)
          const isOpen = meaning.names.every((name) => may(name))
          return { name: def.name, policy: isOpen ? policyOf(def, args) : "now" }
        },
        execute
      }
    })
  )
}
