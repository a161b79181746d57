/**
 * How connections leave this machine: through which proxy, and which authorities their certificates are checked
 * against (`relay C6`). Certificates are always checked; no setting here can change that.
 */
import { readFileSync } from "node:fs"
import type { Agent } from "node:http"
import { getCACertificates } from "node:tls"
import { Effect } from "effect"
import { HttpsProxyAgent } from "https-proxy-agent"
import ipaddr from "ipaddr.js"
import type { ConfigError } from "./ConfigError.ts"
import { registerSecret } from "./Secrets.ts"
import * as Setting from "./Setting.ts"
import { Settings } from "./Settings.ts"

const proxyUrl = Setting.lenient(
  Setting.coerce("an http or https URL of a proxy, or nothing", (raw): string | null | undefined => {
    const text = raw === null ? "" : typeof raw === "string" ? raw.trim() : undefined
    if (text === undefined || text === "") return text === undefined ? undefined : null
    const url = URL.parse(text.includes("://") ? text : `http://${text}`)
    if (url === null || !/^https?:$/.test(url.protocol)) return undefined
    registerSecret(url.password)
    return url.href
  })
)

const proxy = (name: string, description: string) =>
  Setting.make<string | null>({
    env: [name.toLowerCase(), name],
    kind: proxyUrl,
    default: null,
    description
  })

export const HttpsProxy = proxy("HTTPS_PROXY", "proxy for https and wss")
export const HttpProxy = proxy("HTTP_PROXY", "proxy for http and ws")
export const AllProxy = proxy("ALL_PROXY", "proxy for what has none of its own")

export const NoProxy = Setting.make({
  env: ["no_proxy", "NO_PROXY"],
  kind: Setting.list,
  default: [],
  description:
    "hosts reached without a proxy: names with all below them, addresses, networks, * for all; a port may follow"
})

export const TrustEnv = Setting.make({
  key: "gateway.trust_env",
  kind: Setting.boolean,
  default: true,
  description: "use the proxy variables of the environment"
})

/** PEM text of every certificate in the file. Node reads `NODE_EXTRA_CA_CERTS` too, but only from its own environment. */
export const CaFile = Setting.make<string | null>({
  key: "gateway.ca_file",
  env: ["SWITCHBOARD_CA_FILE", "NODE_EXTRA_CA_CERTS"],
  kind: Setting.coerce("the name of a readable PEM file with certificates, or nothing", (raw) => {
    if (raw === null) return null
    if (typeof raw !== "string") return undefined
    if (raw.trim() === "") return null
    try {
      const pem = readFileSync(raw.trim(), "utf8")
      return pem.includes("-----BEGIN CERTIFICATE-----") ? pem : undefined
    } catch {
      return undefined
    }
  }),
  default: null,
  description: "PEM file of certificate authorities that are trusted beside the known ones"
})

export interface ProxyRules {
  readonly https: string | null
  readonly http: string | null
  readonly all: string | null
  readonly none: ReadonlyArray<string>
}

const parseRange = (text: string) => {
  try {
    return text.includes("/") ? ipaddr.parseCIDR(text) : null
  } catch {
    return null
  }
}

const isIn = (host: string, range: ReturnType<typeof ipaddr.parseCIDR>): boolean => {
  if (!ipaddr.isValid(host)) return false
  const address = ipaddr.process(host)
  const [network, bits] = range
  return address.kind() === network.kind() && address.match(network, bits)
}

const isExempt = (host: string, port: string, entry: string): boolean => {
  if (entry === "*") return true
  const range = parseRange(entry)
  if (range !== null) return isIn(host, range)
  const [, bracketed, named, wanted] = /^(?:\[([^\]]+)\]|([^:]+|[^:]*:[^:]*:.*?))(?::(\d+))?$/.exec(entry) ?? []
  if (wanted !== undefined && wanted !== port) return false
  const name = (bracketed ?? named ?? "").replace(/^\*?\./, "").toLowerCase()
  return name !== "" && (host === name || host.endsWith(`.${name}`))
}

/** The proxy that leads to `target` (http, https, ws or wss); `null` = straight. */
export const proxyFor = (target: URL, rules: ProxyRules): string | null => {
  const isSecure = target.protocol === "https:" || target.protocol === "wss:"
  const found = (isSecure ? rules.https : rules.http) ?? rules.all
  if (found === null) return null
  const host = target.hostname
    .replace(/^\[|\]$/g, "")
    .replace(/\.$/, "")
    .toLowerCase()
  const port = target.port === "" ? (isSecure ? "443" : "80") : target.port
  return rules.none.some((entry) => isExempt(host, port, entry)) ? null : found
}

/** For one connection: options of `http.request` and of `ws`. */
export interface Way {
  readonly options: { readonly agent?: Agent; readonly ca?: Array<string> }
  /** The proxy's own answer when it would not connect us; without it that answer looks like the other end's. */
  readonly refusal: () => number | null
}

export interface Outgoing {
  readonly to: (url: string) => Way
}

/** No proxy, the known authorities: for what does not leave this machine. */
export const direct: Outgoing = { to: () => ({ options: {}, refusal: () => null }) }

/** By the settings of this process, as they are now. */
export const outgoing: Effect.Effect<Outgoing, ConfigError, Settings> = Effect.gen(function* () {
  const settings = yield* Settings
  const isTrusted = yield* settings.get(TrustEnv)
  const rules: ProxyRules = {
    https: isTrusted ? yield* settings.get(HttpsProxy) : null,
    http: isTrusted ? yield* settings.get(HttpProxy) : null,
    all: isTrusted ? yield* settings.get(AllProxy) : null,
    none: yield* settings.get(NoProxy)
  }
  const extra = yield* settings.get(CaFile)
  const trust = extra === null ? {} : { ca: [...getCACertificates("default"), extra] }
  return {
    to: (url) => {
      const target = URL.parse(url)
      const proxy = target === null ? null : proxyFor(target, rules)
      if (proxy === null) return { options: trust, refusal: () => null }
      const agent = new HttpsProxyAgent(proxy, { ...trust, keepAlive: false })
      let status: number | null = null
      agent.on("proxyConnect", (answer: { readonly statusCode: number }) => {
        if (answer.statusCode !== 200) status = answer.statusCode
      })
      return { options: { ...trust, agent }, refusal: () => status }
    }
  }
})

export const outgoingSettings: ReadonlyArray<Setting.Setting<unknown>> = [
  HttpsProxy,
  HttpProxy,
  AllProxy,
  NoProxy,
  TrustEnv,
  CaFile
]
