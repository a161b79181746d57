/**
 * Where a request comes from, as far as its headers tell (`operations S4`): what stops a foreign page in a browser on this
 * machine, and a foreign name that resolves to it. Pure.
 */
import type { HttpServerRequest } from "effect/http"

/** The name in a `Host` header, without port and brackets; "" when there is none. */
export const hostName = (host: string | undefined): string =>
  (
    /^(?:\[([0-9A-Fa-f:.]+)\]|([^:/@\s]+))(?::\d{1,5})?$/
      .exec(host ?? "")
      ?.slice(1)
      .find((name) => name !== undefined) ?? ""
  ).toLowerCase()

/** A name or address that never leaves this machine. */
export const isLoopback = (name: string): boolean =>
  name === "localhost" ||
  name.endsWith(".localhost") ||
  name === "::1" ||
  /^(?:::ffff:)?127(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3}$/.test(name)

type Request = Pick<HttpServerRequest.HttpServerRequest, "headers">

export const isUpgrade = ({ headers }: Request): boolean => headers["upgrade"]?.toLowerCase() === "websocket"

/** `Origin` is absent or names our own host. Browsers send it with every WebSocket: there it must be present. */
export const isOwn = (request: Request): boolean => {
  const { host, origin } = request.headers
  if (origin === undefined) return !isUpgrade(request)
  const parsed = URL.parse(origin)
  if (parsed === null || host === undefined || (parsed.protocol !== "http:" && parsed.protocol !== "https:"))
    return false
  return parsed.origin === origin.toLowerCase() && parsed.host === URL.parse(`${parsed.protocol}//${host}`)?.host
}
