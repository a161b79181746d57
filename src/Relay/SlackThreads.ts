/**
 * Where answers go in a direct chat of Slack behind the relay (`relay L11`): each message of the user opens a thread of its
 * own, or the chat is flat. Pure; other platforms and other kinds of chat are left as they are.
 */
import type { MessageEvent } from "../Message/MessageEvent.ts"

export interface SlackThreading {
  /** Answers stand in the thread of the message that they answer. */
  readonly replyInThread: boolean
  /** Each of those threads is a conversation of its own. */
  readonly topLevelSessions: boolean
}

/** `prospective`: the thread that an answer to the message would open, where the connector tells. */
export const anchored = (
  event: MessageEvent,
  prospective: string | null,
  { replyInThread, topLevelSessions }: SlackThreading
): MessageEvent => {
  const { source } = event
  if (source.platform !== "slack" || source.chatType !== "dm") return event
  const anchor = source.threadId ?? prospective ?? event.messageId ?? source.messageId
  if (anchor === null) return event
  return replyInThread && topLevelSessions
    ? { ...event, source: { ...source, threadId: anchor } }
    : {
        ...event,
        source: { ...source, threadId: null },
        // Typing is shown where the message stands, also when the answer is not.
        answerIn: { send: replyInThread ? anchor : null, typing: anchor }
      }
}
