/**
 * How the gateway owes somebody a text: rows for the chat that a message came from, committed with whatever belongs to
 * them, and offered to their send queue only after that (law 3). It decides nothing about what is said.
 */
import { Clock, Context, Effect, Layer } from "effect"
import { assumedCapabilities, type Capabilities, type Target } from "../Delivery/Outlet.ts"
import * as Reply from "../Delivery/Reply.ts"
import { SendQueues } from "../Delivery/SendQueues.ts"
import type { Write } from "../Storage/BatchStatement.ts"
import type { InboxRow } from "../Storage/Inbox.ts"
import { Installation } from "../Storage/Installation.ts"
import { Journal, type JournalError } from "../Storage/Journal.ts"
import { type OutboxRow, previewOf, stored } from "../Storage/Outbox.ts"

/** What is said; everything else follows from the message that it answers. */
export type Said = Partial<Reply.ReplyOptions> & Pick<Reply.ReplyOptions, "kind" | "text">

/** The message that is answered, and how its chat takes texts. */
export interface Occasion {
  readonly row: InboxRow
  /** Part of the keys: the same for every run of the same turn or command. */
  readonly cause: string
  readonly target: Target
  readonly capabilities: Capabilities
}

export class Voice extends Context.Service<
  Voice,
  {
    /** The occasion of a message, with what its link can do as far as that is known. */
    readonly occasion: (row: InboxRow, cause: string) => Occasion
    /** One row per chunk, not stored yet. */
    readonly rows: (occasion: Occasion, said: Said) => ReadonlyArray<OutboxRow>
    /** All or nothing; gives the rows that are new and may leave. */
    readonly commit: (
      writes: ReadonlyArray<Write>,
      rows: ReadonlyArray<OutboxRow>
    ) => Effect.Effect<ReadonlyArray<OutboxRow>, JournalError>
    /** Commits a text with what belongs to it, and lets it leave; gives the rows that are new. */
    readonly say: (
      occasion: Occasion,
      said: Said,
      writes?: ReadonlyArray<Write>
    ) => Effect.Effect<ReadonlyArray<OutboxRow>, JournalError>
    /** Eight characters that name an error in chat and log. */
    readonly errorId: (cause: string, n: number) => string
  }
>()("Conversation/Voice") {
  static readonly layer = Layer.effect(
    Voice,
    Effect.gen(function* () {
      const journal = yield* Journal
      const queues = yield* SendQueues
      const installation = (yield* Installation).id
      const clock = yield* Clock.Clock

      const rows = ({ capabilities, cause, row, target }: Occasion, said: Said) =>
        Reply.rows({
          installation,
          cause,
          link: row.link,
          target,
          sessionKey: row.sessionKey,
          replyTo: row.event.messageId,
          notify: true,
          capabilities,
          at: clock.currentTimeMillisUnsafe(),
          ...(row.event.followUp === undefined ? {} : { followUp: row.event.followUp }),
          ...said
        })

      const commit = (writes: ReadonlyArray<Write>, owed: ReadonlyArray<OutboxRow>) =>
        Effect.map(journal.commit([...owed.map(stored), ...writes]), (receipt) => {
          const fresh: Array<OutboxRow> = []
          for (const [i, row] of owed.entries()) {
            const returned = receipt[i]
            if (returned === undefined) continue
            fresh.push({ ...row, seq: Number(returned.seq), preview: row.preview ?? previewOf(returned.preview) })
          }
          return fresh
        })

      return {
        occasion: (row, cause) => {
          const { answerIn, source } = row.event
          const own = Reply.targetOf(source)
          const target = answerIn === undefined ? own : { ...own, threadId: answerIn.send }
          const outlet = queues.outlet(row.link)
          return { row, cause, target, capabilities: outlet?.capabilities(target) ?? assumedCapabilities }
        },
        rows,
        commit,
        say: (occasion, said, writes = []) =>
          Effect.tap(commit(writes, rows(occasion, said)), (fresh) => Effect.sync(() => queues.offer(fresh))),
        errorId: (cause, n) => Reply.keyOf({ installation, cause, kind: "notice" }, n).slice(-8)
      }
    })
  )
}
