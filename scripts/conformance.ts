/**
 * `npm run conformance -- --gateway "COMMAND"` or `-- --connector URL`: judges a gateway or a connector by the relay
 * contract (docs/conformance.md). One line for each check; exits 1 when one fails, 2 for a wrong command line.
 */
import { spawn } from "node:child_process"
import { parseArgs } from "node:util"
import { Effect } from "effect"
import { CheckFailed, type Verdict } from "../src/Connector/conformance/Check.ts"
import * as ConnectorKit from "../src/Connector/conformance/ConnectorKit.ts"
import * as GatewayKit from "../src/Connector/conformance/GatewayKit.ts"
import { command } from "../src/Connector/conformance/Subject.ts"

const usage = (problem: string): never => {
  process.stderr.write(
    `${problem}\nusage: conformance --gateway "COMMAND" [--env NAME=VALUE]… [--no-expect-echo] [--fast]\n` +
      "       conformance --connector URL [--platform P] [--bot ID] [--token T | --id ID --secret S]\n" +
      '                   [--chat ID] [--say "COMMAND"]\n' +
      "       both: [--only NAME]… [--json]\n"
  )
  process.exit(2)
}

const readArguments = () => {
  try {
    return parseArgs({
      allowNegative: true,
      options: {
        gateway: { type: "string" },
        connector: { type: "string" },
        env: { type: "string", multiple: true, default: [] },
        "expect-echo": { type: "boolean", default: true },
        fast: { type: "boolean", default: false },
        platform: { type: "string", default: "relay" },
        bot: { type: "string", default: "" },
        token: { type: "string" },
        id: { type: "string" },
        secret: { type: "string" },
        chat: { type: "string" },
        say: { type: "string" },
        only: { type: "string", multiple: true },
        json: { type: "boolean", default: false }
      }
    }).values
  } catch (error) {
    return usage(error instanceof Error ? error.message : String(error))
  }
}

const values = readArguments()

const tell = ({ about, detail, name, outcome, statement }: Verdict): void => {
  if (values.json) return
  const reason = detail === null ? "" : `\n         ${detail.replaceAll("\n", "\n         ")}`
  process.stdout.write(`${outcome.padEnd(7)}  ${statement.padEnd(3)}  ${about} [${name}]${reason}\n`)
}

/** The command finds the text in `CONFORMANCE_TEXT`. */
const sayBy = (line: string) => (text: string) =>
  Effect.callback<void, CheckFailed>((resume) => {
    const child = spawn("/bin/sh", ["-c", line], { stdio: "ignore", env: { ...process.env, CONFORMANCE_TEXT: text } })
    child.once("exit", (code) =>
      resume(code === 0 ? Effect.void : Effect.fail(new CheckFailed({ detail: `--say exited with ${code}` })))
    )
  })

const variables = (): Record<string, string> =>
  Object.fromEntries(
    values.env.map((pair) => {
      const at = pair.indexOf("=")
      return at > 0 ? [pair.slice(0, at), pair.slice(at + 1)] : usage(`--env wants NAME=VALUE, not ${pair}`)
    })
  )

const credentials = () => {
  if (values.token !== undefined) return values.token
  if (values.id === undefined && values.secret === undefined) return null
  return values.id === undefined || values.secret === undefined
    ? usage("--id and --secret go together")
    : { id: values.id, secret: values.secret }
}

const known = new Set([...GatewayKit.names, ...ConnectorKit.names])
for (const name of values.only ?? []) if (!known.has(name)) usage(`there is no check ${name}`)
const only = values.only === undefined ? {} : { only: values.only }

const judging = (): Effect.Effect<ReadonlyArray<Verdict>> => {
  if ((values.gateway === undefined) === (values.connector === undefined)) return usage("--gateway or --connector")
  if (values.gateway !== undefined) {
    const subject = command(values.gateway, variables())
    const expectEcho = values["expect-echo"]
    return GatewayKit.run({ subject, expectEcho }, { slow: !values.fast, onVerdict: tell, ...only })
  }
  return ConnectorKit.run(
    {
      url: values.connector ?? "",
      platform: values.platform,
      botId: values.bot,
      token: credentials(),
      chat: values.chat ?? null,
      say: values.say === undefined ? null : sayBy(values.say)
    },
    { onVerdict: tell, ...only }
  )
}

const verdicts = await Effect.runPromise(judging())
const failed = verdicts.filter(({ outcome }) => outcome === "FAIL").length
const skipped = verdicts.filter(({ outcome }) => outcome === "skipped").length
const counts = { passed: verdicts.length - failed - skipped, failed, skipped }
process.stdout.write(
  values.json
    ? `${JSON.stringify({ ...counts, verdicts })}\n`
    : `${counts.passed} passed, ${failed} failed, ${skipped} skipped\n`
)
process.exit(failed === 0 && counts.passed > 0 ? 0 : 1)
