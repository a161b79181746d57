/**
 * The relay as an adapter like any other: sends, edits and typing become outbound actions, their answers receipts or
 * typed errors (`relay O4`, `O5`, `H5`). One attempt per call; nothing is repeated here.
 */
import { Effect, type Redacted, Schedule, type Scope, Stream, SubscriptionRef } from "effect"
import { contentHash } from "../Delivery/IdempotencyKey.ts"
import { assumedCapabilities, type Capabilities, type Outlet, type Target } from "../Delivery/Outlet.ts"
import { classify, reach, retryAfter } from "../Delivery/SendErrorClass.ts"
import { SendError } from "../Message/SendError.ts"
import { type Adapter, AdapterError, type AdapterState } from "../Platforms/Adapter.ts"
import { Intake } from "../Session/Intake.ts"
import * as Descriptor from "./Descriptor.ts"
import type { Dialer } from "./Dialer.ts"
import { dialUrl, isDialable } from "./DialUrl.ts"
import type { ActionResult, OutboundAction } from "./OutboundAction.ts"
import type { Rank } from "./PendingRequests.ts"
import * as Metrics from "./RelayMetrics.ts"
import type { RequestError } from "./RequestError.ts"
import * as ScopeMemory from "./ScopeMemory.ts"
import type { LinkActivity, LinkState, Transport } from "./Transport.ts"
import * as WebSocketTransport from "./WebSocketTransport.ts"

export interface RelayOptions {
  /** Base URL of the connector, as configured (`relay H1`). */
  readonly url: string
  readonly platform: string
  readonly botId: string
  readonly id: string | null
  readonly secret: Redacted.Redacted<string> | null
  /** Stream previews where the platform can edit, unless the user says otherwise. */
  readonly streamingDefault: boolean
}

/** How often the adapter's state shows the latest activity. */
const stateInterval = "5 seconds"

/** Dials in the background and returns at once; rows wait until the link is up (`relay C5`). */
export const make = Effect.fnUntraced(function* (
  options: RelayOptions
): Effect.fn.Return<Adapter, AdapterError, Scope.Scope | Intake | Dialer> {
  if (!isDialable(dialUrl(options.url))) {
    return yield* new AdapterError({
      platform: "relay",
      code: "bad_configuration",
      message: "GATEWAY_RELAY_URL is no http, https, ws or wss URL",
      retryable: false
    })
  }
  const link = `relay:${options.botId}`
  const scopes = ScopeMemory.make()
  const intake = yield* Intake
  const transport = yield* WebSocketTransport.make({ ...options, link }).pipe(
    Effect.provideService(Intake, remembering(intake, scopes))
  )
  const state = yield* SubscriptionRef.make(adapterState({ _tag: "Disconnected" }, transport.activity()))
  yield* Stream.merge(
    SubscriptionRef.changes(transport.state),
    Stream.fromEffectSchedule(SubscriptionRef.get(transport.state), Schedule.spaced(stateInterval))
  ).pipe(
    Stream.runForEach((linkState) => SubscriptionRef.set(state, adapterState(linkState, transport.activity()))),
    Effect.forkScoped
  )
  return {
    platform: "relay",
    label: "Relay",
    outlet: yield* outletOf(link, options, transport, scopes),
    state,
    drain: transport.drain
  }
})

/** Learns scopes from what passes; the Intake itself is asked all the same. */
const remembering = (intake: Intake["Service"], scopes: ScopeMemory.ScopeMemory): Intake["Service"] => ({
  ...intake,
  take: (batch) => {
    for (const {
      event: { source }
    } of batch) {
      if (source.scopeId !== null) scopes.learn(source.platform, source.chatId, source.scopeId)
    }
    return intake.take(batch)
  }
})

const adapterState = (link: LinkState, activity: LinkActivity): AdapterState => ({
  ...statusOf(link, activity),
  ...activity
})

const statusOf = (link: LinkState, activity: LinkActivity): Pick<AdapterState, "status" | "detail"> => {
  switch (link._tag) {
    case "Ready":
      return { status: "connected", detail: null }
    case "Draining":
      return { status: "connected", detail: "draining" }
    case "Dialing":
    case "Handshaking":
      return { status: activity.lastIn === null ? "connecting" : "retrying", detail: link._tag.toLowerCase() }
    case "Disconnected":
      return { status: "retrying", detail: null }
    case "Closed":
      return link.reason === "AuthRevoked"
        ? { status: "fatal", detail: "auth_revoked" }
        : { status: "disconnected", detail: "drained" }
  }
}

const capabilitiesOf = (descriptor: Descriptor.Descriptor, streamingDefault: boolean): Capabilities => {
  const edit = descriptor.supports_edit && Descriptor.supports(descriptor, "edit")
  return {
    maxLength: Descriptor.maxLength(descriptor),
    lengthUnit: Descriptor.lengthUnit(descriptor),
    dialect: descriptor.markdown_dialect,
    // The contract: a connector takes Markdown and speaks its platform's dialect itself. Plain text it would pass on.
    printsItself: descriptor.markdown_dialect !== "plain",
    edit,
    typing: Descriptor.supports(descriptor, "typing"),
    streaming: edit && streamingDefault,
    settle: descriptor.supports_idempotency ? "key" : "mark"
  }
}

const outletOf = Effect.fnUntraced(function* (
  link: string,
  options: RelayOptions,
  transport: Transport["Service"],
  scopes: ScopeMemory.ScopeMemory
) {
  const metrics = yield* Effect.context<never>()
  const known = new WeakMap<Descriptor.Descriptor, Capabilities>()

  const capabilitiesOn = (platform: string): Capabilities => {
    const descriptor = transport.descriptor(platform)
    if (descriptor === null) return assumedCapabilities
    let found = known.get(descriptor)
    if (found === undefined) known.set(descriptor, (found = capabilitiesOf(descriptor, options.streamingDefault)))
    return found
  }
  const capabilities = (target: Target): Capabilities => capabilitiesOn(target.platform)

  const metadata = (target: Target, more: Record<string, unknown>): Record<string, unknown> => {
    const scope = target.scopeId ?? scopes.recall(target.platform, target.chatId)
    if (target.threadId !== null) more.thread_id = target.threadId
    if (scope !== null) more.scope_id = more.guild_id = scope
    return more
  }

  const toSendError = (error: RequestError): SendError => {
    Metrics.add(Metrics.outboundFailed, 1, metrics)
    return new SendError({ kind: kindOf(error), message: error.message })
  }

  const perform = (
    action: Exclude<OutboundAction, { readonly op: "get_chat_info" }>,
    target: Target,
    rank: Rank
  ): Effect.Effect<ActionResult, SendError> =>
    transport.request({ action, platform: target.platform, rank }).pipe(
      Effect.mapError(toSendError),
      Effect.flatMap((result) => (result.success ? Effect.succeed(result) : Effect.fail(refusal(result.error))))
    )

  return {
    link,
    isUp: transport.isUp,
    awaitUp: transport.awaitUp,
    capabilities,
    settle: () => capabilitiesOn(options.platform).settle,
    send: ({ expectEdits, key, notify, replyTo, target, text }) =>
      Effect.map(
        perform(
          {
            op: "send",
            chat_id: target.chatId,
            content: text,
            ...(replyTo === null ? {} : { reply_to: replyTo }),
            // `delivery A3`, `A4`: a connector that is told nothing takes a send for the answer.
            metadata: metadata(target, {
              idempotency_key: key,
              notify,
              ...(expectEdits === true ? { expect_edits: true } : {})
            })
          },
          target,
          notify ? "final" : "interim"
        ),
        (result) => ({ messageId: result.message_id ?? null })
      ),
    edit: ({ final, key, messageId, target, text }) =>
      capabilities(target).edit
        ? Effect.asVoid(
            perform(
              {
                op: "edit",
                chat_id: target.chatId,
                message_id: messageId,
                content: text,
                metadata: metadata(target, {
                  idempotency_key: editKey(key, text),
                  ...(final ? { notify: true, final: true } : {})
                })
              },
              target,
              final ? "final" : "edit"
            )
          )
        : Effect.fail(new SendError({ kind: "unsupported", message: "the platform cannot edit" })),
    typing: (target) =>
      Effect.asVoid(perform({ op: "typing", chat_id: target.chatId, metadata: metadata(target, {}) }, target, "typing"))
  } satisfies Outlet
})

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
