/**
 * What the gateway says, as outbound actions of the relay; the answers as receipts or typed errors (`relay` O, L, H5). One
 * attempt per call; nothing is repeated here, and no operation leaves that the connector does not list.
 */
import { Effect } from "effect"
import { contentHash } from "../Delivery/IdempotencyKey.ts"
import {
  assumedCapabilities,
  type Capabilities,
  type MediaKind,
  type Outlet,
  type SendRank,
  type Target
} from "../Delivery/Outlet.ts"
import { classify, reach, retryAfter } from "../Delivery/SendErrorClass.ts"
import { SendError } from "../Message/SendError.ts"
import { KnownScopes } from "../Session/KnownScopes.ts"
import * as Descriptor from "./Descriptor.ts"
import type { ActionResult, OutboundAction } from "./OutboundAction.ts"
import type { RelayMedia } from "./RelayMedia.ts"
import * as Metrics from "./RelayMetrics.ts"
import type { RequestError } from "./RequestError.ts"
import type { ScopeMemory } from "./ScopeMemory.ts"
import type { Transport } from "./Transport.ts"

const mediaKinds: ReadonlySet<MediaKind> = new Set(["image", "voice", "audio", "video", "document"])
/** Buttons of one prompt (`relay L1`); more are a numbered list. */
const maxOptions = 10
/** Our texts are Markdown, which such a platform lays out itself (`relay L7`). */
const formatHints = { markdown: true }

export const capabilitiesOf = (
  descriptor: Descriptor.Descriptor,
  streamingDefault: boolean,
  uploads = true
): Capabilities => {
  const can = (op: string) => Descriptor.supports(descriptor, op)
  const edit = descriptor.supports_edit && can("edit")
  return {
    maxLength: Descriptor.maxLength(descriptor),
    lengthUnit: Descriptor.lengthUnit(descriptor),
    dialect: descriptor.markdown_dialect,
    // The contract: a connector takes Markdown and speaks its platform's dialect itself. Plain text it would pass on.
    printsItself: descriptor.markdown_dialect !== "plain",
    edit,
    typing: can("typing"),
    streaming: edit && streamingDefault,
    settle: descriptor.supports_idempotency ? "key" : "mark",
    ...(can("prompt") ? { prompt: true } : {}),
    ...(can("send_media") ? { media: mediaKinds, uploads } : {}),
    ...(can("react") ? { react: true } : {}),
    ...(can("thread_create") ? { threads: true } : {})
  }
}

export const make = Effect.fnUntraced(function* (options: {
  readonly link: string
  /** Of the default identity. */
  readonly platform: string
  readonly streamingDefault: boolean
  readonly uploads: boolean
  readonly transport: Transport["Service"]
  readonly scopes: ScopeMemory
  readonly media: RelayMedia
}): Effect.fn.Return<Outlet, never, KnownScopes> {
  const { media, scopes, transport } = options
  const stored = yield* KnownScopes
  const metrics = yield* Effect.context<never>()
  const known = new WeakMap<Descriptor.Descriptor, Capabilities>()

  const capabilitiesOn = (platform: string): Capabilities => {
    const descriptor = transport.descriptor(platform)
    if (descriptor === null) return assumedCapabilities
    let found = known.get(descriptor)
    if (found === undefined)
      known.set(descriptor, (found = capabilitiesOf(descriptor, options.streamingDefault, options.uploads)))
    return found
  }
  const capabilities = (target: Target): Capabilities => capabilitiesOn(target.platform)

  /** `relay O4`: the caller's, else what came in last, else what is stored of the chat; "" = it has none. */
  const scopeOf = (target: Target): Effect.Effect<string | null> => {
    const { chatId, platform, scopeId } = target
    const remembered = scopeId ?? scopes.recall(platform, chatId)
    if (remembered !== null) return Effect.succeed(remembered === "" ? null : remembered)
    return stored.scopeOf(platform, chatId).pipe(
      Effect.tap((found) => Effect.sync(() => scopes.learn(platform, chatId, found ?? ""))),
      Effect.catch((error) => Effect.as(Effect.logWarning("relay: a chat's scope cannot be read", error.message), null))
    )
  }

  const toSendError = (error: RequestError): SendError => {
    Metrics.add(Metrics.outboundFailed, 1, metrics)
    return new SendError({ kind: kindOf(error), message: error.message })
  }

  /** Thread and scope are added to what the action says about itself. */
  const perform = (
    action: Exclude<OutboundAction, { readonly op: "get_chat_info" }>,
    target: Target,
    rank: SendRank
  ): Effect.Effect<ActionResult, SendError> =>
    Effect.flatMap(scopeOf(target), (scope) => {
      const metadata = {
        ...action.metadata,
        ...(target.threadId === null ? {} : { thread_id: target.threadId }),
        ...(scope === null ? {} : { scope_id: scope, guild_id: scope })
      }
      return transport.request({ action: { ...action, metadata }, platform: target.platform, rank }).pipe(
        Effect.mapError(toSendError),
        Effect.flatMap((result) => (result.success ? Effect.succeed(result) : Effect.fail(refusal(result.error))))
      )
    })

  const hints = (target: Target) =>
    transport.descriptor(target.platform)?.supports_block_formatting === true ? { format_hints: formatHints } : {}
  const anchor = (replyTo: string | null) => (replyTo === null ? {} : { reply_to: replyTo })
  const receipt = (result: ActionResult) => ({ messageId: result.message_id ?? null })

  return {
    link: options.link,
    isUp: transport.isUp,
    awaitUp: transport.awaitUp,
    capabilities,
    settle: () => capabilitiesOn(options.platform).settle,
    send: ({ expectEdits, followUp, key, notify, rank = notify ? "final" : "interim", replyTo, target, text }) => {
      const metadata = {
        idempotency_key: key,
        // `delivery A3`, `A4`: a connector that is told nothing takes a send for the answer.
        notify,
        ...(expectEdits === true ? { expect_edits: true } : {}),
        ...hints(target)
      }
      const plain = (to: string | null) =>
        perform({ op: "send", chat_id: target.chatId, content: text, ...anchor(to), metadata }, target, rank)
      if (followUp === undefined) return Effect.map(plain(replyTo), receipt)
      const { kind, sessionKey } = followUp
      return perform({ op: "follow_up", session_key: sessionKey, kind, content: text, metadata }, target, rank).pipe(
        // What it would reply to is the interaction, which is no message of the chat.
        Effect.catchIf(isCapabilityGone, () => plain(null)),
        Effect.map(receipt)
      )
    },
    edit: ({ final, key, messageId, target, text }) =>
      capabilities(target).edit
        ? Effect.asVoid(
            perform(
              {
                op: "edit",
                chat_id: target.chatId,
                message_id: messageId,
                content: text,
                metadata: {
                  idempotency_key: editKey(key, text),
                  ...(final ? { notify: true, final: true } : {}),
                  ...hints(target)
                }
              },
              target,
              final ? "final" : "edit"
            )
          )
        : Effect.fail(new SendError({ kind: "unsupported", message: "the platform cannot edit" })),
    typing: (target) =>
      Effect.asVoid(perform({ op: "typing", chat_id: target.chatId, metadata: {} }, target, "typing")),
    // Any other platform would show that somebody types (`relay L4`).
    typingEnded: (target) =>
      target.platform === "slack"
        ? Effect.asVoid(perform({ op: "typing", chat_id: target.chatId, content: "", metadata: {} }, target, "typing"))
        : Effect.void,
    media: (request) => {
      const { caption, filename, key, kind, notify, replyTo, target } = request
      if (capabilities(target).media === undefined) return Effect.fail(unsupported("files"))
      return Effect.flatMap(media.source(request), (source_url) =>
        perform(
          {
            op: "send_media",
            chat_id: target.chatId,
            media_kind: kind,
            source_url,
            ...(caption === null ? {} : { content: caption }),
            ...(filename === null ? {} : { filename }),
            ...anchor(replyTo),
            metadata: { idempotency_key: key, notify }
          },
          target,
          notify ? "final" : "interim"
        )
      ).pipe(Effect.map(receipt))
    },
    prompt: ({ key, kind, options, promptId, replyTo, target, text, timeoutSeconds }) =>
      options.length === 0 || options.length > maxOptions
        ? Effect.fail(unsupported("a prompt of that many options"))
        : Effect.map(
            perform(
              {
                op: "prompt",
                chat_id: target.chatId,
                prompt_kind: kind,
                prompt_id: promptId,
                content: text,
                options: options.map(({ id, label, style }) => ({ id, label, ...(style === null ? {} : { style }) })),
                ...(timeoutSeconds === null ? {} : { timeout_s: timeoutSeconds }),
                ...anchor(replyTo),
                metadata: { idempotency_key: key }
              },
              target,
              "approval"
            ),
            receipt
          ),
    localMedia: media.local,
    react: ({ emoji, messageId, remove, target }) =>
      Effect.asVoid(
        perform(
          {
            op: "react",
            chat_id: target.chatId,
            message_id: messageId,
            emoji,
            ...(remove ? { remove } : {}),
            metadata: {}
          },
          target,
          "edit"
        )
      ),
    createThread: ({ key, messageId, name, target }) =>
      perform(
        {
          op: "thread_create",
          chat_id: target.chatId,
          thread_name: name,
          ...(messageId === null ? {} : { message_id: messageId }),
          metadata: { idempotency_key: key }
        },
        target,
        "notice"
      ).pipe(
        Effect.flatMap(({ thread_id }) =>
          thread_id == null
            ? Effect.fail(new SendError({ kind: "ambiguous", message: "the connector named no thread" }))
            : Effect.succeed(thread_id)
        )
      ),
    renameThread: ({ name, onlyIf, target, threadId }) =>
      perform(
        {
          op: "thread_rename",
          chat_id: target.chatId,
          message_id: threadId,
          thread_name: name,
          ...(onlyIf === null ? {} : { only_if_current_name: onlyIf }),
          metadata: {}
        },
        target,
        "notice"
      ).pipe(
        Effect.as(true),
        // A person's name for it wins, and then a refusal is no error (`relay L2`).
        Effect.catchIf(
          ({ kind }) => onlyIf !== null && kind !== "ambiguous" && kind !== "transient" && kind !== "unsupported",
          () => Effect.succeed(false)
        )
      )
  }
})

const unsupported = (what: string) =>
  new SendError({ kind: "unsupported", message: `the connector does not take ${what}` })

/** The answer surely was not shown, and repeating it the same way would not help (`relay P3`). */
const isCapabilityGone = ({ kind }: SendError): boolean =>
  kind === "not_found" ||
  kind === "forbidden" ||
  kind === "unsupported" ||
  kind === "window_closed" ||
  kind === "unknown"

/** An edit's key tells its text (`relay O5`); callers may have added it already. */
const editKey = (key: string, text: string): string => {
  const suffix = `:${contentHash(text)}`
  return key.endsWith(suffix) ? key : key + suffix
}

/** `relay O5`: what has left and got no readable answer is `ambiguous`, what has not is `transient`. */
const kindOf = (error: RequestError): SendError["kind"] => {
  switch (error._tag) {
    case "OutboundTimeout":
    case "ConnectionLost":
    case "MalformedResult":
      return "ambiguous"
    case "NotConnected":
    case "LinkBusy":
      return "transient"
    case "UnsupportedOp":
      return "unsupported"
  }
}

/** The connector answered and refused; only its text says why (`delivery S3`). */
const refusal = (error: string | null | undefined): SendError => {
  const text = error ?? ""
  const goneHow = reach(text)
  const wait = retryAfter(text)
  return new SendError({
    kind: classify(text),
    message: text === "" ? "the connector refused without a reason" : text.slice(0, 500),
    ...(goneHow === null ? {} : { reach: goneHow }),
    ...(wait === null ? {} : { retryAfter: wait })
  })
}
