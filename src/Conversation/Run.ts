/** One run of a turn: what it answers, where, and what has come of it so far. Owned by the turn's fiber. */
import type { Usage } from "../Agent/Agent.ts"
import type { Named } from "../Delivery/Attachments.ts"
import type { Outlet } from "../Delivery/Outlet.ts"
import type { Consumer } from "../Delivery/Stream/Consumer.ts"
import type * as Machine from "../Delivery/Stream/Machine.ts"
import type { Turn } from "../Session/Turns.ts"
import type { InboxRow } from "../Storage/Inbox.ts"
import type { Preview } from "../Storage/Outbox.ts"
import type { Lines, Progress } from "./Progress.ts"
import type { Occasion } from "./Voice.ts"

/** What one run keeps track of. */
export interface Run extends Occasion {
  readonly turn: Turn
  readonly outlet: Outlet | null
  /** Shows the answer while it grows; `null` = nothing of it has come. */
  stream: Consumer | null
  /** Its messages as they stood when the agent came to its end. */
  ended: Machine.State | null
  attachments: Array<Named>
  /** Interim texts so far: each has keys of its own, the same in a second run of the turn. */
  interim: number
  prompts: number
  /** Size of the last prompt, as far as the agent told. */
  promptTokens: number | null
  /** Messages that its agent took while it ran: they end with it (`conversation Y4`). */
  readonly steered: Array<InboxRow>
  /** The latest figures that the agent told. */
  usage: Usage | null
  /** The tool that the last line told of. */
  lastTool: string | null
  /** The message that tool lines are gathered in; `null` = the next line begins one. */
  bubble: { readonly progress: Progress; lines: Lines } | null
  /** The message that shows the agent's plan. */
  plan: Progress | null
  /** The agent's thoughts, where they are shown. */
  reasoning: string
  /** The tool that was started last and has not ended. */
  tool: string | null
  /** What an earlier run of this turn left on the screen, by ordinal. */
  readonly earlier: ReadonlyArray<Preview>
  /** It came to no good end: nothing more is shown of its progress. */
  isStopped: boolean
  /** Epoch milliseconds of the agent's last sign of life. */
  lastActive: number
  /** The agent gave none for too long, and its fiber was interrupted for that. */
  isStuck: boolean
}
