/**
 * `enroll`: asks a connector for this gateway's id and secret and keeps them in the home's `.env` (`relay V2`). It prints
 * no secret, and writes nothing unless the connector has said yes.
 */
import { Effect, Option, Redacted } from "effect"
import { Command, Flag } from "effect/cli"
import * as EnvFile from "../Config/EnvFile.ts"
import { outgoing } from "../Config/Outgoing.ts"
import { registerSecret } from "../Config/Redact.ts"
import { Settings } from "../Config/Settings.ts"
import * as Home from "../Operations/Home.ts"
import { readText } from "../Operations/JsonFile.ts"
import * as PrivateFile from "../Operations/PrivateFile.ts"
import { dialUrl, isDialable } from "../Relay/DialUrl.ts"
import * as Enrolment from "../Relay/Enrolment.ts"
import { defaultGatewayId } from "../Relay/Provision.ts"
import { RelayEnrollToken, RelayId, RelayUrl } from "../Relay/RelaySettings.ts"
import { CommandFailed, exitCode } from "./Exit.ts"
import * as Globals from "./Globals.ts"
import * as Output from "./Output.ts"

const text = (name: string, metavar: string, description: string) =>
  Flag.String(name).pipe(
    Flag.map((value) => value.trim()),
    Flag.optional,
    Flag.withMetavar(metavar),
    Flag.withDescription(description)
  )

const misuse = (message: string) => new CommandFailed({ code: exitCode.misuse, message })

interface Input {
  readonly token: Option.Option<string>
  readonly connectorUrl: Option.Option<string>
  readonly gatewayId: Option.Option<string>
  readonly wakeUrl: Option.Option<string>
}

const given = (value: Option.Option<string>): string | null => Option.getOrNull(value) || null

const enroll = Effect.fnUntraced(function* (input: Input) {
  const settings = yield* Settings
  const flagged = given(input.token)
  if (flagged !== null) registerSecret(flagged)
  const token = flagged === null ? yield* settings.get(RelayEnrollToken) : Redacted.make(flagged)
  if (token === null) return yield* misuse("enroll needs --token TOKEN, or GATEWAY_RELAY_ENROLL_TOKEN")
  const connectorUrl = given(input.connectorUrl)
  const url = connectorUrl ?? (yield* settings.get(RelayUrl))
  if (url === null) return yield* misuse("enroll needs --connector-url URL, or GATEWAY_RELAY_URL")
  if (!isDialable(dialUrl(url))) return yield* misuse("--connector-url is no http, https, ws or wss URL")
  const wakeUrl = given(input.wakeUrl)
  if (wakeUrl !== null && !/^https?:$/.test(URL.parse(wakeUrl)?.protocol ?? "")) {
    return yield* misuse("--wake-url is no http or https URL")
  }
  const gatewayId = given(input.gatewayId) ?? (yield* settings.get(RelayId)) ?? defaultGatewayId()

  const { env } = yield* Home.prepare(settings.home)
  const before = readText(env) ?? ""
  // The token may be good for one use only: that the file can be written is tried before it is spent.
  yield* PrivateFile.probe(env)
  const { id, secret } = yield* Enrolment.enroll({ url, outgoing: yield* outgoing, token, gatewayId })
  yield* PrivateFile.replace(
    env,
    EnvFile.assign(before, {
      GATEWAY_RELAY_ID: id,
      GATEWAY_RELAY_SECRET: Redacted.value(secret),
      ...(connectorUrl === null ? {} : { GATEWAY_RELAY_URL: connectorUrl }),
      ...(wakeUrl === null ? {} : { GATEWAY_RELAY_WAKE_URL: wakeUrl })
    })
  )
  yield* Output.line(`enrolled as ${id}; id and secret are in ${env}, where a running gateway finds them within 5 s`)
})

const failed = (code: 1 | 75) => (error: { readonly message: string }) =>
  new CommandFailed({ code, message: `not enrolled: ${error.message}` })

export const enrollCommand = Command.make(
  "enroll",
  {
    token: text("token", "TOKEN", "One-time token from the connector; also GATEWAY_RELAY_ENROLL_TOKEN"),
    connectorUrl: text("connector-url", "URL", "Base URL of the connector; also GATEWAY_RELAY_URL"),
    gatewayId: text("gateway-id", "ID", "Id of this gateway; default GATEWAY_RELAY_ID, else gw-HOSTNAME"),
    wakeUrl: text("wake-url", "URL", "Where the connector wakes this gateway: its public /relay/wake")
  },
  (input) =>
    enroll(input).pipe(
      Effect.provide(Globals.oneShot),
      Effect.catchTags({
        NoAnswer: (error) => Effect.fail(failed(75)(error)),
        Refused: (error) => Effect.fail(failed(error.reason === "Temporary" ? 75 : 1)(error)),
        PrivateFileError: (error) => Effect.fail(failed(1)(error))
      })
    )
).pipe(Command.withDescription("Get this gateway's id and secret from a connector; exit 1 refused, 75 no answer"))
