/**
 * Which waiting messages a connected gateway has been handed and has not acknowledged (`relay L6`): one at a time while
 * the buffer is replayed, many once live. Plain values; it reads and writes nothing.
 */

/** `greeting`: no `hello` yet. `replay`: the buffer goes out one by one. `idle`: the gateway asked for silence. */
export type Phase = "greeting" | "replay" | "live" | "idle"

interface InFlight {
  readonly line: string
  readonly sentAt: number
}

export interface DeliveryWindow {
  /** Number of the connection; frames of an earlier one are nobody's. */
  readonly link: number
  readonly phase: Phase
  /** Everything up to this `seq` has been handed over on this connection. */
  readonly cursor: number
  readonly inFlight: ReadonlyMap<string, InFlight>
}

/** Messages that may be under way at once when live. */
const liveWindow = 256
/** After this long without an acknowledgement the same delivery is made again; the gateway knows it by its id. */
export const redeliverAfter = 30_000

export const opened = (link: number): DeliveryWindow => ({ link, phase: "greeting", cursor: 0, inFlight: new Map() })

/** The first `hello` starts the replay; further ones (more identities) change nothing. */
export const greeted = (window: DeliveryWindow): DeliveryWindow =>
  window.phase === "greeting" ? { ...window, phase: "replay" } : window

export const silenced = (window: DeliveryWindow): DeliveryWindow => ({ ...window, phase: "idle" })

export const acknowledged = (window: DeliveryWindow, bufferId: string): DeliveryWindow => {
  if (!window.inFlight.has(bufferId)) return window
  const inFlight = new Map(window.inFlight)
  inFlight.delete(bufferId)
  return { ...window, inFlight }
}

/** How many more may be handed over now. */
export const room = (window: DeliveryWindow): number =>
  window.phase === "replay" ? 1 - window.inFlight.size : window.phase === "live" ? liveWindow - window.inFlight.size : 0

export interface Delivery {
  readonly bufferId: string
  readonly seq: number
  readonly line: string
}

/** Nothing waits and nothing is under way: the buffer is replayed. */
export const handedOver = (
  window: DeliveryWindow,
  deliveries: ReadonlyArray<Delivery>,
  now: number
): DeliveryWindow => {
  if (deliveries.length === 0) {
    return window.phase === "replay" && window.inFlight.size === 0 ? { ...window, phase: "live" } : window
  }
  const inFlight = new Map(window.inFlight)
  for (const { bufferId, line } of deliveries) inFlight.set(bufferId, { line, sentAt: now })
  return { ...window, inFlight, cursor: deliveries.at(-1)!.seq }
}

/** What has waited too long for its acknowledgement, oldest first, and the window in which it has just been sent again. */
export const overdue = (
  window: DeliveryWindow,
  now: number
): { readonly window: DeliveryWindow; readonly lines: ReadonlyArray<string> } => {
  if (window.phase === "idle") return { window, lines: [] }
  const late = [...window.inFlight].filter(([, { sentAt }]) => now - sentAt >= redeliverAfter)
  if (late.length === 0) return { window, lines: [] }
  const inFlight = new Map(window.inFlight)
  for (const [bufferId, { line }] of late) inFlight.set(bufferId, { line, sentAt: now })
  return { window: { ...window, inFlight }, lines: late.map(([, { line }]) => line) }
}
