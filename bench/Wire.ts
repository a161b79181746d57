/** What the processes of the benchmark say to each other, and the one shape of message that they measure with. */

export type Order =
  | { readonly order: "turns"; readonly chats: number; readonly warmUp: number; readonly seconds: number }
  | { readonly order: "flood"; readonly chats: number; readonly perChat: number; readonly acknowledged: boolean }

export interface TurnsFigure {
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
}

export interface FloodFigure {
  readonly messages: number
  /** Counted by the raw client, or acknowledged to the gateway's connector, per second. */
  readonly taken: number
  /** Until every turn had run; the raw client has none. */
  readonly turned: number | null
}

export type Report =
  | { readonly report: "listening"; readonly port: number }
  | { readonly report: "connected" }
  | { readonly report: "turns"; readonly figure: TurnsFigure }
  | { readonly report: "flood"; readonly figure: FloodFigure }

/** Bytes of one `inbound` line with its newline. */
export const lineBytes = 240

/** An `inbound` line of exactly `lineBytes`, unless its text is longer than fits. */
export const inboundLine = (chat: string, n: number, text: string): string => {
  const id = String(n)
  const line = (filler: string) =>
    `{"type":"inbound","event":{"text":"${text}${filler}","message_type":"text","message_id":"${id}",` +
    `"source":{"platform":"relay","chat_id":"${chat}","chat_type":"dm","user_id":"u${chat}"}},"bufferId":"${id}"}\n`
  const missing = lineBytes - line("").length
  return missing <= 0 ? line("") : line(" lorem ipsum dolor sit amet".repeat(5).slice(0, missing))
}

export const descriptorLine = `${JSON.stringify({
  type: "descriptor",
  descriptor: {
    contract_version: 1,
    platform: "relay",
    label: "Benchmark",
    max_message_length: 4096,
    supports_draft_streaming: false,
    supports_edit: true,
    supports_threads: false,
    markdown_dialect: "plain",
    len_unit: "chars",
    supports_idempotency: true
  }
})}\n`
