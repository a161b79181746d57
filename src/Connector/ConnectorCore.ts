/**
 * The connector's whole behaviour towards a gateway and the people in its chats (`relay` H, I, O, L6), without sockets:
 * inputs go in, lines for the gateway and changes for the pages come out after the commit that makes them true. Its only
 * outside is the `ChatStore`. One caller at a time; a simulation drives it as the server does.
 */
import { Clock, Effect, Metric, Result } from "effect"
import type { SqlError } from "effect/sql"
import { sanitizeText } from "../Storage/StoredText.ts"
import { decodeGatewayLine, rejectLine, UnknownFrame } from "../Relay/Protocol.ts"
import { FrameDecodeError } from "../Relay/FrameDecodeError.ts"
import type { BadLine } from "../Relay/LineReader.ts"
import { type ActionHandler, make as makeActions } from "./Actions.ts"
import * as ChatModel from "./ChatModel.ts"
import type { ChatStore } from "./ChatStore.ts"
import * as DeliveryWindow from "./DeliveryWindow.ts"
import type { Draft, Handled, Input, RefusalReason, Reply, Said } from "./Exchange.ts"
import * as GatewayFrames from "./GatewayFrames.ts"

export interface ConnectorCore {
  /** All inputs in one transaction, in order. When storage refuses, each is tried alone and answered accordingly. */
  readonly handle: (inputs: ReadonlyArray<Input>) => Effect.Effect<Handled>
  readonly onConnect: (link: number) => Effect.Effect<Handled>
  readonly onDisconnect: (link: number) => Effect.Effect<Handled>
  /** One line of the gateway; gives the lines to send back. */
  readonly onFrame: (link: number, line: string) => Effect.Effect<Handled>
  /** One message of a person. */
  readonly deliver: (said: Said) => Effect.Effect<Handled>
  readonly isGatewayConnected: () => boolean
}

const invalidFrames = Metric.counter("connector_invalid_frames_total", {
  description: "lines of the gateway that could not be read",
  incremental: true
})

const done: Reply = { _tag: "Done" }
const isServing = (window: DeliveryWindow.DeliveryWindow | null): boolean =>
  window !== null && window.phase !== "greeting" && window.phase !== "idle"

export const make: (store: ChatStore["Service"]) => Effect.Effect<ConnectorCore, SqlError.SqlError> = Effect.fnUntraced(
  function* (store) {
    const actions: ActionHandler = makeActions(store)
    // Above the clock too: a page that outlives a wiped database must still see what comes after.
    let revision = Math.max(yield* store.lastRevision, yield* Clock.currentTimeMillis)
    let window: DeliveryWindow.DeliveryWindow | null = null
    let complaints = { second: 0, count: 0 }

    /** At most ten warnings a second, so that a broken peer cannot fill the log. */
    const complain = (error: FrameDecodeError, now: number) =>
      Effect.suspend(() => {
        const second = Math.floor(now / 1000)
        complaints = { second, count: complaints.second === second ? complaints.count + 1 : 1 }
        return Effect.andThen(
          Metric.update(invalidFrames, 1),
          complaints.count > 10 ? Effect.void : Effect.logWarning("unreadable line from the gateway", error.message)
        )
      })

    const onLine = (draft: Draft, line: string | BadLine): Effect.Effect<void, SqlError.SqlError> => {
      const frame = typeof line === "string" ? decodeGatewayLine(line) : rejectLine(line)
      if (frame instanceof FrameDecodeError) return complain(frame, draft.now)
      if (frame instanceof UnknownFrame)
        return Effect.logDebug("unknown frame from the gateway", frame.name.slice(0, 64))
      switch (frame.type) {
        case "hello":
          return Effect.sync(() => {
            draft.window = DeliveryWindow.greeted(draft.window!)
            draft.lines.push(GatewayFrames.descriptorFrame)
          })
        case "going_idle":
          return Effect.sync(() => {
            draft.window = DeliveryWindow.silenced(draft.window!)
            draft.lines.push(GatewayFrames.goingIdleAck)
          })
        case "inbound_ack":
          return onAck(draft, frame.bufferId)
        case "interrupt":
          // No turn runs on this side of the wire.
          return Effect.logDebug("interrupt", frame.session_key)
        case "outbound": {
          const action = GatewayFrames.checkAction(frame.action)
          const result = Result.isFailure(action)
            ? Effect.succeed({ success: false, error: action.failure })
            : actions(draft, action.success)
          return Effect.map(result, (result) => {
            draft.lines.push(GatewayFrames.outboundResult(frame.requestId, result))
          })
        }
      }
    }

    const onAck = Effect.fnUntraced(function* (draft: Draft, bufferId: string) {
      draft.window = DeliveryWindow.acknowledged(draft.window!, bufferId)
      const message = bufferId.startsWith("web:") ? yield* store.byId(bufferId.slice(4)) : null
      if (message?.state !== "sent") return
      const taken = yield* store.change(message.id, { state: "taken", at: draft.now, revision: ++draft.revision })
      if (taken !== null) draft.updates.push({ _tag: "Messages", messages: [taken] })
    })

    const onSaid = Effect.fnUntraced(function* (draft: Draft, said: Said): Effect.fn.Return<Reply, SqlError.SqlError> {
      const text = sanitizeText(said.text)
      if (text.trim() === "") return refused("empty")
      if (Buffer.byteLength(text) > ChatModel.maxTextBytes) return refused("too_long")
      const earlier = yield* store.byId(said.id)
      if (earlier !== null) return { _tag: "Stored", message: earlier }
      const pressed = said.press === undefined ? null : yield* store.byId(said.press.messageId)
      const option = pressed?.prompt?.options.find(({ id }) => id === said.press?.optionId)
      if (said.press !== undefined && (option === undefined || pressed?.chatId !== said.chatId))
        return refused("bad_request")
      if ((yield* store.waitingCount(said.chatId)) >= ChatModel.maxWaitingPerChat) return refused("chat_full")
      if (!(yield* ensureChat(draft, said.chatId, ChatModel.titleOf(text)))) return refused("too_many_chats")
      const message = yield* store.insert({
        chatId: said.chatId,
        id: said.id,
        role: "user",
        // What the button says, whatever the page sent.
        text: option?.label ?? text,
        replyTo: null,
        ...(pressed?.prompt == null || option === undefined
          ? {}
          : { press: { promptId: pressed.prompt.id, optionId: option.id, messageId: pressed.id } }),
        idempotencyKey: null,
        bufferId: GatewayFrames.bufferIdOf(said),
        state: "sent",
        at: draft.now,
        revision: ++draft.revision
      })
      if (message === null) return refused("storage")
      if (ChatModel.isPruningDue(message)) yield* store.prune(said.chatId, ChatModel.maxMessagesPerChat)
      draft.updates.push({ _tag: "Messages", messages: [message] })
      if (message.press !== null) {
        const answered = { answered: true, at: draft.now, revision: ++draft.revision } as const
        const question = yield* store.change(message.press.messageId, answered)
        if (question !== null) draft.updates.push({ _tag: "Messages", messages: [question] })
      }
      return { _tag: "Stored", message }
    })

    const ensureChat = Effect.fnUntraced(function* (draft: Draft, chatId: string, title: string) {
      if ((yield* store.chat(chatId)) !== null) return true
      if ((yield* store.chatCount) >= ChatModel.maxChats) return false
      yield* store.addChat({ chatId, title, createdAt: draft.now })
      draft.updates.push({ _tag: "Chats", chats: yield* store.chats })
      return true
    })

    const onRenamed = Effect.fnUntraced(function* (draft: Draft, chatId: string, wanted: string) {
      const title = ChatModel.titleOf(sanitizeText(wanted))
      if (!(yield* ensureChat(draft, chatId, title))) return refused("too_many_chats")
      yield* store.renameChat(chatId, title)
      draft.updates.push({ _tag: "Chats", chats: yield* store.chats })
      return done
    })

    const apply = (draft: Draft, input: Input): Effect.Effect<Reply, SqlError.SqlError> => {
      switch (input._tag) {
        case "Connected":
          draft.window = DeliveryWindow.opened(input.link)
          return Effect.succeed(done)
        case "Disconnected":
          if (draft.window?.link === input.link) draft.window = null
          return Effect.succeed(done)
        case "Frame":
          return draft.window?.link === input.link ? Effect.as(onLine(draft, input.line), done) : Effect.succeed(done)
        case "Said":
          return onSaid(draft, input.said)
        case "Renamed":
          return onRenamed(draft, input.chatId, input.title)
        case "Tick":
          return Effect.sync(() => {
            if (draft.window === null) return done
            const again = DeliveryWindow.overdue(draft.window, draft.now)
            draft.window = again.window
            draft.lines.push(...again.lines)
            return done
          })
      }
    }

    /** Hands over what waits, as far as the window allows. */
    const pump = Effect.fnUntraced(function* (draft: Draft) {
      while (draft.window !== null) {
        const room = DeliveryWindow.room(draft.window)
        if (room <= 0) return
        const waiting = yield* store.undelivered(draft.window.cursor, room)
        const deliveries = waiting.map(({ message, title }) => ({
          bufferId: GatewayFrames.bufferIdOf(message),
          seq: message.seq,
          line: GatewayFrames.inboundFrame(message, title)
        }))
        const before: DeliveryWindow.DeliveryWindow = draft.window
        draft.window = DeliveryWindow.handedOver(before, deliveries, draft.now)
        for (const { line } of deliveries) draft.lines.push(line)
        if (draft.window === before) return
      }
    })

    const attempt = (inputs: ReadonlyArray<Input>) =>
      Effect.gen(function* () {
        const draft: Draft = {
          window,
          revision,
          now: yield* Clock.currentTimeMillis,
          lines: [],
          updates: [],
          replies: []
        }
        for (const input of inputs) draft.replies.push(yield* apply(draft, input))
        yield* pump(draft)
        return draft
      }).pipe(store.transaction)

    /** The transaction failed, so nothing of it happened: say so to whoever waits for an answer. */
    const withoutStorage = Effect.fnUntraced(function* (input: Input): Effect.fn.Return<Draft> {
      const draft: Draft = {
        window,
        revision,
        now: yield* Clock.currentTimeMillis,
        lines: [],
        updates: [],
        replies: []
      }
      if (input._tag === "Connected") draft.window = DeliveryWindow.opened(input.link)
      if (input._tag === "Disconnected" && window?.link === input.link) draft.window = null
      if (input._tag === "Frame" && window?.link === input.link) refuseLine(draft, input.line)
      draft.replies.push(input._tag === "Said" || input._tag === "Renamed" ? refused("storage") : done)
      return draft
    })

    const conclude = (draft: Draft): Handled => {
      const was = isServing(window)
      window = draft.window
      revision = draft.revision
      const is = isServing(window)
      return {
        link: window?.link ?? null,
        lines: draft.lines,
        updates: was === is ? draft.updates : [...draft.updates, { _tag: "Gateway", connected: is }],
        replies: draft.replies
      }
    }

    const handle = (inputs: ReadonlyArray<Input>): Effect.Effect<Handled> =>
      attempt(inputs).pipe(
        Effect.catchTag("SqlError", (error) =>
          inputs.length === 1
            ? Effect.andThen(
                Effect.logError("the web chat's storage refuses", error.message),
                withoutStorage(inputs[0]!)
              )
            : Effect.succeed(null)
        ),
        Effect.flatMap((draft) =>
          draft === null
            ? Effect.map(
                Effect.forEach(inputs, (input) => handle([input])),
                merge
              )
            : Effect.succeed(conclude(draft))
        )
      )

    return {
      handle,
      onConnect: (link) => handle([{ _tag: "Connected", link }]),
      onDisconnect: (link) => handle([{ _tag: "Disconnected", link }]),
      onFrame: (link, line) => handle([{ _tag: "Frame", link, line }]),
      deliver: (said) => handle([{ _tag: "Said", said }]),
      isGatewayConnected: () => isServing(window)
    }
  }
)

const refused = (reason: RefusalReason): Reply => ({ _tag: "Refused", reason })

const merge = (parts: ReadonlyArray<Handled>): Handled => ({
  link: parts.at(-1)?.link ?? null,
  lines: parts.flatMap((part) => part.lines),
  updates: parts.flatMap((part) => part.updates),
  replies: parts.flatMap((part) => part.replies)
})

/** A `hello` and a `going_idle` need no storage; an action surely did not happen, and its text says so (`delivery S3`). */
const refuseLine = (draft: Draft, line: string | BadLine): void => {
  if (typeof line !== "string") return
  const frame = decodeGatewayLine(line)
  if (frame instanceof FrameDecodeError || frame instanceof UnknownFrame) return
  if (frame.type === "hello") {
    draft.window = DeliveryWindow.greeted(draft.window!)
    draft.lines.push(GatewayFrames.descriptorFrame)
  } else if (frame.type === "going_idle") {
    draft.window = DeliveryWindow.silenced(draft.window!)
    draft.lines.push(GatewayFrames.goingIdleAck)
  } else if (frame.type === "outbound") {
    const error = "connectionerror: the web chat's storage cannot be written, nothing was shown"
    draft.lines.push(GatewayFrames.outboundResult(frame.requestId, { success: false, error }))
  }
}
