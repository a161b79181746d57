/**
 * From the configured base URL of a connector to the URLs we call (`relay H1`). Pure text: whether a URL can be dialled
 * is found out by who dials it.
 */

/** What counts as blank around a URL; a byte order mark is no blank, and makes it one that cannot be dialled. */
const BLANKS = /^(?:(?!\ufeff)\s)+|(?:(?!\ufeff)\s)+$/g

/** `https`→`wss`, `http`→`ws`, no trailing slashes, `/relay` at the end. Idempotent. */
export const dialUrl = (base: string): string => {
  let url = base.replaceAll(BLANKS, "")
  if (url.startsWith("https://")) url = `wss://${url.slice("https://".length)}`
  else if (url.startsWith("http://")) url = `ws://${url.slice("http://".length)}`
  url = url.replace(/\/+$/, "")
  return url.endsWith("/relay") ? url : `${url}/relay`
}

/** A dial URL over http(s): what its other routes stand below. */
export const httpUrl = (dial: string): string =>
  dial.startsWith("wss://")
    ? `https://${dial.slice("wss://".length)}`
    : dial.startsWith("ws://")
      ? `http://${dial.slice("ws://".length)}`
      : dial

/** The provision URL beside a dial URL. */
export const provisionUrl = (dial: string): string => `${httpUrl(dial)}/provision`

/** Whether a dial URL can be handed to a WebSocket at all. */
export const isDialable = (dial: string): boolean =>
  URL.canParse(dial) && /^wss?:$/.test(new URL(dial).protocol) && new URL(dial).hash === ""
