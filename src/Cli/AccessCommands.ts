/**
 * `access explain | list`: which rule decides about a sender and where every grant comes from (`access R4`, D7). It reads
 * what the gateway reads, and changes nothing.
 */
import { Effect, Layer, Option } from "effect"
import { Command, Flag, Argument } from "effect/cli"
import { Access } from "../Access/Access.ts"
import * as Grants from "../Access/Grants.ts"
import { Pairing } from "../Access/Pairing.ts"
import { Settings } from "../Config/Settings.ts"
import * as Source from "../Message/Source.ts"
import { platformNames } from "../Message/Platform.ts"
import * as Output from "./Output.ts"
import { json } from "./Rows.ts"
import { platformArgument, withStore } from "./PairingCommands.ts"
import * as Storage from "./Storage.ts"

const access = Access.layer.pipe(Layer.provideMerge(Pairing.layer))

const explain = Command.make(
  "explain",
  {
    platform: platformArgument,
    user: Argument.String("user").pipe(Argument.withDescription('Id of the user; "" = a message without one')),
    chat: Flag.String("chat").pipe(Flag.optional, Flag.withDescription("Id of the chat; default: the user's own")),
    type: Flag.String("type").pipe(
      Flag.optional,
      Flag.withDescription("dm, group, channel, forum or thread; default dm, with --chat group")
    ),
    json
  },
  ({ chat, json, platform: name, type, user }) =>
    Effect.gen(function* () {
      const service = yield* Access
      const settings = yield* Settings
      const platform = name.trim().toLowerCase()
      const chatType = Option.getOrElse(type, () => (Option.isSome(chat) ? "group" : "dm"))
      const source = Source.make({
        platform,
        chatId: Option.getOrElse(chat, () => user),
        chatType,
        userId: user === "" ? null : user
      })
      const steps = yield* service.explain(source, Source.untrusted)
      const rules = yield* service.rules(platform)
      const last = steps.at(-1)
      const isAllowed = last?.outcome === "allow"
      const origins = (last?.grounds ?? []).map((ground) => Grants.originOf(settings, platform, ground))
      const notes = Grants.surprisesOf(rules)
      const commands = service.commands(source)
      if (json) {
        return yield* Output.json({
          allow: isAllowed,
          rule: last?.rule,
          why: last?.why,
          origins,
          commands: commands.tier,
          notes,
          steps: steps.map(({ outcome, rule, why }) => ({ rule, outcome, why }))
        })
      }
      yield* Output.lines([
        `${isAllowed ? "allowed" : "refused"} by rule ${last?.rule}: ${last?.why}`,
        ...origins.map(({ name, origin }) => `  ${name}, from ${origin}`),
        `commands: ${commands.tier === "user" ? `only ${commands.open?.join(", ")}` : "all"} (${commands.tier})`,
        "",
        ...Output.table(steps.map(({ outcome, rule, why }) => [`  ${rule}`, outcome, why])),
        ...(notes.length > 0 ? ["", ...notes.map((note) => `note: ${note}`)] : [])
      ])
    }).pipe(Effect.provide(access), Effect.provide(Storage.command))
).pipe(
  Command.withDescription(
    "Say which rule decides about a sender, and why; a role or the relay's word is not known here"
  )
)

const list = Command.make("list", { json }, ({ json }) =>
  Effect.gen(function* () {
    const settings = yield* Settings
    const approved = yield* withStore((store) => store.approved)
    const grants = [
      ...Grants.configured(settings, platformNames),
      ...approved.map(({ platform, userId, userName }) => ({
        platform,
        grant: "pairing",
        who: userName === null ? userId : `${userId} (${userName})`,
        origin: "pairing approve"
      }))
    ]
    if (json) return yield* Output.json(grants)
    if (grants.length === 0) {
      return yield* Output.line("Nobody is let in; strangers who write directly are shown a pairing code.")
    }
    yield* Output.lines(
      Output.table([
        ["platform", "grant", "who", "origin"],
        ...grants.map(({ grant, origin, platform, who }) => [platform, grant, Output.oneLine(who), origin])
      ])
    )
  }).pipe(Effect.provide(Storage.command))
).pipe(Command.withDescription("List every grant and where it comes from"))

export const accessCommand = Command.make("access").pipe(
  Command.withDescription("Explain who may speak"),
  Command.withSubcommands([explain, list])
)
