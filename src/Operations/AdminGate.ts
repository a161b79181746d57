/**
 * Who may open the console, the web chat and the admin routes (`operations S4`): loopback and same origin without a key,
 * a bearer or a login with one. It knows no page and serves nothing but its own login form.
 */
import { createHash, createHmac } from "node:crypto"
import { ByteSize, Clock, Context, Effect, Layer, Redacted, Schema } from "effect"
import { HttpIncomingMessage, HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import * as Guessing from "./Guessing.ts"
import * as RequestOrigin from "./RequestOrigin.ts"

/** The key is shorter than 16 characters: nobody may rely on it. */
export class AdminKeyTooShort extends Schema.TaggedError<AdminKeyTooShort>()("AdminKeyTooShort", {}) {
  override get message(): string {
    return `SWITCHBOARD_ADMIN_KEY needs ${shortestKey} characters or more`
  }
}

export const shortestKey = 16
export const cookieName = "switchboard_admin"
/** Seconds a login lasts. */
const loginLifetime = 30 * 24 * 3600
/** Wrong keys in the form per minute, of all callers together; then the form rests until the minute is over. */
const maxFailures = 10
const maxFormBytes = 8 * 1024

type Request = HttpServerRequest.HttpServerRequest
type Response = HttpServerResponse.HttpServerResponse

export class AdminGate extends Context.Service<
  AdminGate,
  {
    /** `null`: the request may pass. Else what to answer instead: 401, 403 or 404. */
    readonly refusal: (request: Request) => Effect.Effect<Response | null>
    /** Answers the login form; wrong keys are slowed down. */
    readonly login: (request: Request) => Effect.Effect<Response>
    readonly logout: (request: Request) => Effect.Effect<Response>
  }
>()("Operations/AdminGate") {
  /** `host`: the address that the HTTP listener is bound to. */
  static readonly layer = (options: {
    readonly key: Redacted.Redacted | null
    readonly host: string
  }): Layer.Layer<AdminGate, AdminKeyTooShort> => Layer.effect(AdminGate, make(options))

  /** `GET` and `POST /login`, `POST /logout`. */
  static readonly routes: Layer.Layer<never, never, HttpRouter.HttpRouter | AdminGate> = HttpRouter.use((router) =>
    Effect.gen(function* () {
      const gate = yield* AdminGate
      yield* router.add("GET", "/login", (request) =>
        Effect.map(gate.refusal(request), (refusal) =>
          refusal === null ? HttpServerResponse.redirect("/", { status: 303 }) : refusal
        )
      )
      yield* router.add("POST", "/login", gate.login)
      yield* router.add("POST", "/logout", gate.logout)
    })
  )
}

/** A handler behind the gate. */
export const guarded =
  <E, R>(gate: AdminGate["Service"], handler: (request: Request) => Effect.Effect<Response, E, R>) =>
  (request: Request): Effect.Effect<Response, E, R> =>
    Effect.flatMap(gate.refusal(request), (refusal): Effect.Effect<Response, E, R> =>
      refusal === null ? handler(request) : Effect.succeed(refusal)
    )

/** Sent with every page: own assets only, no inline code, no frame around it. */
export const pageHeaders: Readonly<Record<string, string>> = {
  "content-security-policy":
    "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  // Not `no-referrer`: it would make browsers send `Origin: null` with our own forms.
  "referrer-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin"
}

const text = (status: number, body: string, headers: Record<string, string> = {}): Response =>
  HttpServerResponse.text(`${body}\n`, { status, headers: { ...pageHeaders, "cache-control": "no-store", ...headers } })

export const forbidden = text(403, "Forbidden: this page is served to its own origin on this machine only.")
const notFound = text(404, "Not Found")
export const unauthorized = text(401, "Unauthorized", { "www-authenticate": "Bearer" })
export const tooMany = text(429, "Too Many Requests", { "retry-after": "60" })

const make = Effect.fnUntraced(function* ({
  host,
  key
}: {
  readonly key: Redacted.Redacted | null
  readonly host: string
}): Effect.fn.Return<AdminGate["Service"], AdminKeyTooShort> {
  if (key !== null) {
    if (Redacted.value(key).length < shortestKey) return yield* new AdminKeyTooShort()
    return keyed(key)
  }
  if (RequestOrigin.isLoopback(host)) return open
  yield* Effect.logWarning(
    `the console and the web chat answer 404: the listener is bound to ${host}, not to loopback; set SWITCHBOARD_ADMIN_KEY`
  )
  const closed = () => Effect.succeed(notFound)
  return { refusal: closed, login: closed, logout: closed }
})

/** Without a key: whoever can reach loopback under a loopback name, and no foreign page in a browser there. */
const open: AdminGate["Service"] = {
  refusal: (request) =>
    Effect.succeed(
      RequestOrigin.isLoopback(RequestOrigin.hostName(request.headers["host"])) && RequestOrigin.isOwn(request)
        ? null
        : forbidden
    ),
  login: () => Effect.succeed(notFound),
  logout: () => Effect.succeed(notFound)
}

const keyed = (key: Redacted.Redacted): AdminGate["Service"] => {
  const sign = (expiry: string): string =>
    createHmac("sha256", Redacted.value(key)).update(`switchboard-login:${expiry}`).digest("hex")
  const isKey = (given: string): boolean => Guessing.sameText(given, Redacted.value(key))
  const isLogin = (cookie: string | undefined, now: number): boolean => {
    const [expiry, signature] = cookie?.split(".") ?? []
    return (
      expiry !== undefined &&
      signature !== undefined &&
      /^\d{1,15}$/.test(expiry) &&
      Guessing.sameText(signature, sign(expiry)) &&
      Number(expiry) * 1000 > now
    )
  }
  let failures = { minute: 0, count: 0 }
  const failuresIn = (now: number): number => (failures.minute === Math.floor(now / 60_000) ? failures.count : 0)

  const guessing = Guessing.make()

  return {
    refusal: (request) =>
      Effect.flatMap(Clock.currentTimeMillis, (now): Effect.Effect<Response | null> => {
        if (!RequestOrigin.isOwn(request)) return Effect.succeed(forbidden)
        const bearer = Guessing.bearerOf(request)
        if (bearer !== undefined) {
          if (guessing.isFull()) return Effect.succeed(tooMany)
          return isKey(bearer) ? Effect.succeed(null) : Effect.as(guessing.wrong, unauthorized)
        }
        if (isLogin(request.cookies[cookieName], now)) return Effect.succeed(null)
        const wantsPage = request.method === "GET" && (request.headers["accept"] ?? "").includes("text/html")
        return Effect.succeed(wantsPage ? loginPage(401, request.url, null) : unauthorized)
      }),
    login: (request) =>
      Effect.gen(function* () {
        if (!RequestOrigin.isOwn(request)) return forbidden
        const now = yield* Clock.currentTimeMillis
        if (failuresIn(now) >= maxFailures) return loginPage(429, "/", "Too many wrong keys. Wait a minute.")
        const form = yield* HttpServerRequest.schemaBodyUrlParams(LoginForm)
        const next = safePath(form.next ?? "/")
        if (!isKey(form.key)) {
          failures = { minute: Math.floor(now / 60_000), count: failuresIn(now) + 1 }
          return loginPage(401, next, "That is not the key.")
        }
        const expiry = String(Math.floor(now / 1000) + loginLifetime)
        return HttpServerResponse.redirect(next, { status: 303 }).pipe(
          HttpServerResponse.setCookieUnsafe(cookieName, `${expiry}.${sign(expiry)}`, {
            httpOnly: true,
            sameSite: "strict",
            path: "/",
            maxAge: `${loginLifetime} seconds`,
            secure: request.protocol === "https"
          })
        )
      }).pipe(
        Effect.catchTag(["SchemaError", "HttpServerError"], () => Effect.succeed(text(400, "Bad Request"))),
        Effect.provideService(HttpServerRequest.HttpServerRequest, request),
        Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(maxFormBytes))
      ),
    logout: (request) =>
      Effect.succeed(
        RequestOrigin.isOwn(request)
          ? HttpServerResponse.redirect("/", { status: 303 }).pipe(
              HttpServerResponse.expireCookieUnsafe(cookieName, { httpOnly: true, sameSite: "strict", path: "/" })
            )
          : forbidden
      )
  }
}

const LoginForm = Schema.Struct({ key: Schema.String, next: Schema.optionalKey(Schema.String) })

/** Only a path of this site: `//host` and `/\host` name another one to a browser. */
const safePath = (next: string): string => (/^\/(?![/\\])[\x21-\x7e]*$/.test(next) ? next : "/")

const escape = (value: string): string => value.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)

const loginStyle =
  ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;display:grid;place-items:center;" +
  "min-height:100vh;margin:0;background:light-dark(#f6f7f9,#14161a);color:light-dark(#1b1f24,#e6e8eb)}form{display:grid;" +
  "gap:12px;width:min(320px,88vw);padding:28px;border-radius:16px;background:light-dark(#fff,#1d2026);" +
  "box-shadow:0 8px 32px rgb(0 0 0/.12)}h1{font-size:1.15rem;margin:0}input,button{font:inherit;padding:10px 12px;" +
  "border-radius:10px;border:1px solid light-dark(#c9ced6,#3a3f48);background:transparent;color:inherit}" +
  "button{border:0;background:#3557d6;color:#fff;cursor:pointer}p{margin:0;color:light-dark(#b3261e,#ff8a80)}"
const loginStyleHash = createHash("sha256").update(loginStyle).digest("base64")

const loginPage = (status: number, next: string, problem: string | null): Response =>
  HttpServerResponse.text(
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Switchboard: log in</title>` +
      `<meta name="viewport" content="width=device-width, initial-scale=1"><style>${loginStyle}</style></head><body>` +
      `<form method="post" action="/login"><h1>Switchboard</h1><label for="key">Admin key</label>` +
      `<input id="key" name="key" type="password" autocomplete="current-password" required autofocus>` +
      `<input type="hidden" name="next" value="${escape(safePath(next))}">` +
      `${problem === null ? "" : `<p role="alert">${escape(problem)}</p>`}<button>Log in</button></form></body></html>`,
    {
      status,
      contentType: "text/html; charset=utf-8",
      headers: {
        ...pageHeaders,
        "cache-control": "no-store",
        "content-security-policy":
          `default-src 'none'; style-src 'sha256-${loginStyleHash}'; form-action 'self'; ` +
          "base-uri 'none'; frame-ancestors 'none'"
      }
    }
  )
