/**
 * Whether an address that somebody else named may be asked from this machine (`delivery N7`, N8). Every answer of the
 * resolver is judged, and the caller connects to exactly the address that was judged. It opens no connection itself.
 */
import { lookup } from "node:dns/promises"
import { isIP } from "node:net"
import { Effect, Schema } from "effect"
import ipaddr from "ipaddr.js"

/** Nothing was asked of that address. `message` names the host alone. */
export class UrlRefused extends Schema.TaggedError<UrlRefused>()("UrlRefused", {
  reason: Schema.Literals(["BadUrl", "Scheme", "Private", "Metadata", "Unresolved"]),
  message: Schema.String
}) {}

export interface CheckedUrl {
  readonly url: URL
  /** Connect here and nowhere else: a second question to the resolver might be answered otherwise. */
  readonly address: string
  readonly family: 4 | 6
}

export interface Policy {
  /** Addresses of this network may be asked, metadata services never (`security.allow_private_urls`). */
  readonly allowPrivate: boolean
  /** `scheme://host:port` of a peer that the operator configured: asked wherever it is. */
  readonly trustedOrigin?: string | undefined
}

/** Every address of a host name; replaced in tests alone. */
export type Resolve = (host: string) => Promise<ReadonlyArray<string>>

export const systemResolve: Resolve = async (host) =>
  (await lookup(host, { all: true, verbatim: true })).map(({ address }) => address)

const metadataHosts: ReadonlySet<string> = new Set([
  "metadata",
  "metadata.google.internal",
  "metadata.goog",
  "metadata.tencentyun.com",
  "metadata.azure.internal",
  "instance-data",
  "instance-data.ec2.internal"
])
/** Services outside 169.254/16 that hand out credentials to whoever asks from within. */
const metadataAddresses: ReadonlySet<string> = new Set(["100.100.100.200", "192.0.0.192", "fd00:ec2::254"])

type Verdict = "public" | "private" | "metadata"

/** IPv4 inside IPv6 (mapped, compatible, NAT64, 6to4) is judged as the IPv4 it leads to. */
const embedded = (address: ipaddr.IPv6): ipaddr.IPv4 | null => {
  if (address.isIPv4MappedAddress()) return address.toIPv4Address()
  const bytes = address.toByteArray()
  const range = address.range()
  if (range === "rfc6052" || bytes.slice(0, 12).every((byte) => byte === 0)) return new ipaddr.IPv4(bytes.slice(12))
  return range === "6to4" ? new ipaddr.IPv4(bytes.slice(2, 6)) : null
}

/** Pure; text that is no address counts as private. */
export const judge = (text: string): Verdict => {
  const bare = text.replace(/%.*$/, "")
  if (!ipaddr.isValid(bare)) return "private"
  const parsed = ipaddr.parse(bare)
  const v4 = parsed instanceof ipaddr.IPv6 ? embedded(parsed) : parsed
  const address = v4 ?? parsed
  if (metadataAddresses.has(address.toString())) return "metadata"
  if (v4 !== null && v4.range() === "linkLocal") return "metadata"
  return address.range() === "unicast" ? "public" : "private"
}

const bareHost = (url: URL): string => url.hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "")

const refuse = (reason: UrlRefused["reason"], message: string) => Effect.fail(new UrlRefused({ reason, message }))

/** Resolves and judges one address. Ask again for every redirect. */
export const check = (text: string, policy: Policy, resolve: Resolve): Effect.Effect<CheckedUrl, UrlRefused> =>
  Effect.suspend(() => {
    const url = URL.parse(text)
    if (url === null) return refuse("BadUrl", "that is no address")
    if (url.protocol !== "http:" && url.protocol !== "https:") {
      return refuse("Scheme", `${url.protocol} addresses are not asked, only http and https`)
    }
    const host = bareHost(url)
    if (metadataHosts.has(host.toLowerCase())) return refuse("Metadata", `${host} is a metadata service`)
    const addresses =
      isIP(host) === 0
        ? Effect.tryPromise({
            try: () => resolve(host),
            catch: () => new UrlRefused({ reason: "Unresolved", message: `${host} cannot be resolved` })
          })
        : Effect.succeed([host])
    return Effect.flatMap(addresses, (found): Effect.Effect<CheckedUrl, UrlRefused> => {
      const first = found[0]
      if (first === undefined) return refuse("Unresolved", `${host} cannot be resolved`)
      const isTrusted = policy.trustedOrigin !== undefined && url.origin === policy.trustedOrigin
      for (const address of found) {
        const verdict = judge(address)
        if (verdict === "metadata") return refuse("Metadata", `${host} leads to a metadata service`)
        if (verdict === "private" && !policy.allowPrivate && !isTrusted) {
          return refuse("Private", `${host} is not a public address`)
        }
      }
      return Effect.succeed({ url, address: first, family: isIP(first) === 6 ? 6 : 4 })
    })
  })

/** For logs: scheme, host and last part of the path, at most 80 characters; never user, query or fragment (`delivery N8`). */
export const shown = (text: string): string => {
  const url = URL.parse(text)
  if (url === null) return "(no address)"
  const last = url.pathname.split("/").findLast((part) => part !== "") ?? ""
  const path = url.pathname === `/${last}` ? `/${last}` : `/…/${last}`
  return Array.from(`${url.protocol}//${url.host}${path}`).slice(0, 80).join("")
}
