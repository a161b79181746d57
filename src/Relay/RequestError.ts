/** Why a request to the connector gave no usable answer. The class says whether it may have been carried out. */
import { Schema } from "effect"

/** Surely not carried out: nothing left this process (`relay C5`). */
export class NotConnected extends Schema.TaggedError<NotConnected>()("NotConnected", {}) {
  override get message(): string {
    return "the relay is not connected"
  }
}

/** Surely not carried out: too many requests wait already. */
export class LinkBusy extends Schema.TaggedError<LinkBusy>()("LinkBusy", {}) {
  override get message(): string {
    return "too many requests wait for the relay"
  }
}

/** Surely not carried out: the connector does not list the operation (`relay H5`). */
export class UnsupportedOp extends Schema.TaggedError<UnsupportedOp>()("UnsupportedOp", {
  op: Schema.String,
  platform: Schema.String
}) {
  override get message(): string {
    return `the connector does not support ${this.op} on ${this.platform}`
  }
}

/** May have been carried out: no answer within 30 s (`relay O1`). */
export class OutboundTimeout extends Schema.TaggedError<OutboundTimeout>()("OutboundTimeout", {}) {
  override get message(): string {
    return "the connector did not answer in time"
  }
}

/** May have been carried out: the connection ended before the answer came (`relay O3`). */
export class ConnectionLost extends Schema.TaggedError<ConnectionLost>()("ConnectionLost", {}) {
  override get message(): string {
    return "the relay connection ended before the answer came"
  }
}

/** May have been carried out: there was an answer, but it cannot be read (`relay O2`). */
export class MalformedResult extends Schema.TaggedError<MalformedResult>()("MalformedResult", {
  detail: Schema.String
}) {
  override get message(): string {
    return `the connector's answer cannot be read: ${this.detail}`
  }
}

export type RequestError = NotConnected | LinkBusy | UnsupportedOp | OutboundTimeout | ConnectionLost | MalformedResult
