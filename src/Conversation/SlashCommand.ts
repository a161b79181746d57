/**
 * Reading a typed command (`commands N1`, `conversation P2`). It only takes the text apart; which names exist and who may
 * use them is decided elsewhere.
 */

import type { MessageEvent } from "../Message/MessageEvent.ts"

export interface SlashCommand {
  /** Lower case, without slash and addressee; may be `""` (a lone `/`). `null`: a path such as `/etc/passwd`. */
  readonly name: string | null
  /** As typed, but for dashes that phones rewrote. */
  readonly args: string
  /** The bot named after `@`, `""` for a bare `@`; `null` when none was named (`commands N5`). */
  readonly addressee: string | null
}

// White space as the reference counts it: JavaScript's without the byte order mark, and the information separators.
const word = /^[^\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*/
const gap = /^[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*/

const typedDashes = (args: string): string => args.replace(/——?/g, "--").replaceAll("–", "-")

/** A message is a command when it begins with `/` (`commands N1`); `null`: it is none. */
export const parse = (text: string): SlashCommand | null => {
  if (!text.startsWith("/")) return null
  const first = word.exec(text)![0]
  const rest = text.slice(first.length)
  const at = first.indexOf("@")
  const name = (at < 0 ? first.slice(1) : first.slice(1, at)).toLowerCase()
  return {
    name: name.includes("/") ? null : name,
    args: typedDashes(rest.slice(gap.exec(rest)![0].length)),
    addressee: at < 0 ? null : first.slice(at + 1)
  }
}

const restart =
  /^\s*(?:(?:please\s+)?restart\s+(?:the\s+)?(?:(?:hermes|switchboard)\s+)?gateway|restart\s+(?:hermes|switchboard))[\s.!?]*$/i

/** A direct message that only asks to restart the gateway becomes the command (`conversation P2`); all else is unchanged. */
export const coerceRestart = (text: string, chatType: string): string =>
  chatType === "dm" && text.length <= 256 && restart.test(text) ? "/restart" : text

/** Where a typed `/` never arrives, because the client takes it for itself (`commands N2`). */
export const typesBang = (platform: string): boolean => platform === "slack" || platform === "matrix"

const bang = /^!(?=[a-z][\w-]*(?:\s|$))/i

/** The text of a message as commands are read from it: with the platform's own prefix and wishes in plain words rewritten. */
export const textOf = ({ source, text }: MessageEvent, isKnown: (name: string) => boolean): string => {
  if (!typesBang(source.platform) || !bang.test(text)) return coerceRestart(text, source.chatType)
  const rewritten = text.replace(bang, "/")
  const name = parse(rewritten)?.name ?? null
  return name !== null && isKnown(name) ? rewritten : text
}
