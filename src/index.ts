/**
 * What larger Effect applications import: the gateway as a Layer, the contracts that agents and adapters implement, and
 * the words they speak. Everything else may change without notice.
 */
export { Gateway, GatewayError } from "./Gateway.ts"
export type { PlatformStatus, Status } from "./Operations/Health.ts"

export { Agent, AgentError } from "./Agent/Agent.ts"
export type { AgentEvent, AgentRun, AgentTurn, Answer } from "./Agent/Agent.ts"
export * as Echo from "./Agent/Echo.ts"
export type { StoredMessage } from "./Storage/Transcript.ts"

export { AdapterError } from "./Platforms/Adapter.ts"
export type { Adapter, AdapterState, Registration } from "./Platforms/Adapter.ts"
export type {
  Capabilities,
  EditRequest,
  LengthUnit,
  Outlet,
  SendReceipt,
  SendRequest,
  Settle,
  Target
} from "./Delivery/Outlet.ts"
export { SendError, SendErrorKind } from "./Message/SendError.ts"

export { type GroupRules, groupSettingsOf, readGroupRules } from "./Access/GroupRules.ts"
export { triggerOf, withoutMentions } from "./Access/GroupTrigger.ts"
export type { Heard, Trigger } from "./Access/GroupTrigger.ts"

export { Intake } from "./Session/Intake.ts"
export type { Inbound, IntakeOutcome } from "./Session/Intake.ts"
export {
  Media,
  MessageEvent,
  MessageType,
  PromptResponse,
  ReplyContext,
  text as textEvent
} from "./Message/MessageEvent.ts"
export { make as makeSource, Source, untrusted } from "./Message/Source.ts"
export type { Provenance } from "./Message/Source.ts"

export { ConfigError, ConfigProblem } from "./Config/ConfigError.ts"
export { Settings } from "./Config/Settings.ts"
export * as Setting from "./Config/Setting.ts"
export { StorageError } from "./Storage/Database.ts"
export { JournalError } from "./Storage/Journal.ts"
