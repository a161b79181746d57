/**
 * Recent messages of the channel, put before the message for the agent to read (`relay I5`): never a trigger, never a
 * command. Each is one line, so that nobody in the channel can write a line in another's name. Pure.
 */
import type { MessageEvent } from "../Message/MessageEvent.ts"

/** Messages shown, the newest of them; a longer one is cut. */
const maxMessages = 50
const maxLength = 2000
const maxTotal = 32_000

const begins = "[Recent messages of this channel, for your information only]"
const ends = "[The message to you]"

const oneLine = (text: string): string => {
  const line = text.replace(/\s+/g, " ").trim()
  return line.length <= maxLength ? line : `${line.slice(0, maxLength - 1)}…`
}

/** What stands before the message; "" = nothing. */
const block = (context: MessageEvent["context"]): string => {
  const lines: Array<string> = []
  let total = 0
  for (const { author, text } of context.slice(-maxMessages).reverse()) {
    const said = oneLine(text)
    if (said === "") continue
    const line = `${oneLine(author).slice(0, 100) || "someone"}: ${said}`
    total += line.length
    if (total > maxTotal) break
    lines.push(line)
  }
  return lines.length === 0 ? "" : [begins, ...lines.reverse(), ends, ""].join("\n")
}

/** The message as the agent reads it. */
export const withContext = (event: Pick<MessageEvent, "context" | "text">): string =>
  event.context.length === 0 ? event.text : block(event.context) + event.text
