/** Commands that begin, name, find, copy and shorten conversations (`commands`, Session; `session C`). */
import { Effect } from "effect"
import * as SessionId from "../../Session/SessionId.ts"
import { closed, opened } from "../../Storage/Transcript.ts"
import type { CommandDef, Invocation, Outcome } from "./CommandDef.ts"
import * as Texts from "../Texts.ts"

/** Only the boundary is made; the first turn of the new conversation stores its session row with itself (`session C1`). */
const fresh = ({ now, random, row, session }: Invocation): Outcome => {
  const route = { sessionKey: session.sessionKey, sessionId: SessionId.make(now, random), createdAt: now }
  return {
    text: Texts.freshSession,
    writes: [
      ...(session.route === null ? [] : [closed(session.route.sessionId, "session_reset", now)]),
      ...opened(route, row.event.source)
    ],
    routed: route
  }
}

export const sessionCommands: ReadonlyArray<CommandDef> = [
  {
    name: "new",
    aliases: ["reset"],
    args: "[title]",
    help: "Start a new conversation",
    group: "Session",
    owner: "gateway",
    policy: "stop",
    class: "session",
    // While a turn runs it stops the turn and begins afresh at once.
    confirm: ({ session }) => (session.running === null ? Texts.confirmNew : null),
    run: (invocation) => Effect.succeed(fresh(invocation))
  }
]
