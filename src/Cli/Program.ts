/**
 * The command line as a tree of commands, and the one place where a command's end becomes the end of the process
 * (`operations`, Commands and the exit table).
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect, Exit, Layer, Logger } from "effect"
import { CliConfig, CliOutput, Command, GlobalFlag } from "effect/cli"
import { redact } from "../Config/Redact.ts"
import { version } from "../Operations/Version.ts"
import { accessCommand } from "./AccessCommands.ts"
import { configCommand } from "./ConfigCommands.ts"
import { doctorCommand } from "./Doctor.ts"
import { enrollCommand } from "./Enroll.ts"
import { endingOf, exitCode } from "./Exit.ts"
import * as Globals from "./Globals.ts"
import { inboxCommand } from "./InboxCommands.ts"
import { mcpCommand } from "./Mcp.ts"
import { outboxCommand } from "./OutboxCommands.ts"
import { pairingCommand } from "./PairingCommands.ts"
import { runCommand, runGateway } from "./Run.ts"
import { sendCommand } from "./Send.ts"
import { sessionsCommand } from "./SessionsCommands.ts"
import { statusCommand } from "./Status.ts"

const root = Command.make("switchboard", {}, () => runGateway).pipe(
  Command.withDescription("Connects AI agents to chat platforms. Without a command it runs the gateway."),
  Command.withSubcommands([
    runCommand,
    statusCommand,
    doctorCommand,
    configCommand,
    enrollCommand,
    sendCommand,
    inboxCommand,
    mcpCommand,
    outboxCommand,
    sessionsCommand,
    pairingCommand,
    accessCommand
  ]),
  Command.withGlobalFlags([Globals.Home, Globals.Profile, Globals.Verbose, Globals.Quiet])
)

/** What is wrong in one line, and where to look; the whole help would hide it. */
const presenter: CliOutput.Presenter = {
  present: (event) => {
    if (event._tag !== "InvalidInvocation") return CliOutput.defaultPresenter.present(event)
    const wrong = event.errors.map(({ message }) => message.replaceAll(/\s+/g, " ").trim()).join("; ")
    return Effect.sync(() => {
      process.stderr.write(`${redact(wrong)}\nSee ${event.commandPath.join(" ")} --help\n`)
    })
  }
}

const environment = Layer.mergeAll(
  NodeServices.layer,
  // What is logged before the log is open would land on standard output, among what the command says.
  Logger.layer([]),
  CliConfig.layer({ builtIns: [GlobalFlag.Help, Globals.Version, GlobalFlag.Completions] }),
  CliOutput.layer(CliOutput.defaultFormatter({ colors: false })),
  CliOutput.layerPresenter(presenter)
)

/** The last resort for what no fiber owns: said without secrets, and never lived with. */
const onUncaught = (error: unknown): void => {
  process.stderr.write(
    `${redact(`defect: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)}\n`
  )
  process.exit(exitCode.defect)
}

/** Runs one command; gives its exit code after everything it had to say has been said. */
export const main = (args: ReadonlyArray<string>): Promise<number> => {
  process.on("uncaughtException", onUncaught)
  return Effect.runPromise(
    Command.runWith(root, { version })(args).pipe(
      Effect.provide(environment),
      Effect.exit,
      Effect.map((exit) => {
        if (Exit.isSuccess(exit)) return exitCode.ok
        const { code, message } = endingOf(exit.cause)
        if (message !== "") process.stderr.write(`${message}\n`)
        return code
      })
    )
  )
}
