/**
 * `pairing list | approve | revoke | clear`: the only way to let a stranger in (`access P4`–`P9`). Works on the database
 * beside a running gateway, which notices within a second. It never shows a code.
 */
import { join } from "node:path"
import { Clock, Effect, Option } from "effect"
import { Argument, Command } from "effect/cli"
import { settingsOf } from "../Access/AccessSettings.ts"
import { entriesOf, identitiesOf } from "../Access/Identity.ts"
import { Pairing } from "../Access/Pairing.ts"
import * as PairingStore from "../Access/PairingStore.ts"
import { edit, type FileEditError, withList } from "../Config/FileEdit.ts"
import { Settings } from "../Config/Settings.ts"
import { platformNames } from "../Message/Platform.ts"
import { Database } from "../Storage/Database.ts"
import { CommandFailed, exitCode } from "./Exit.ts"
import * as Output from "./Output.ts"
import { json, time } from "./Rows.ts"
import * as Storage from "./Storage.ts"

/** Each profile has a home and a database of its own, in which it is the only one. */
const profile = ""

const known = (name: string) =>
  Effect.suspend(() => {
    const platform = name.trim().toLowerCase()
    return platformNames.includes(platform)
      ? Effect.succeed(platform)
      : Effect.fail(
          new CommandFailed({
            code: exitCode.misuse,
            message: `"${Output.oneLine(name)}" is no platform; known are ${platformNames.join(", ")}`
          })
        )
  })

export const platformArgument = Argument.String("platform").pipe(Argument.withDescription("Name of the platform"))

/** The store, over the database that the settings name, with the aliases it knows. */
export const withStore = <A, E, R>(
  body: (store: PairingStore.Store, aliasesOf: Pairing["Service"]["aliasesOf"]) => Effect.Effect<A, E, R>
) =>
  Effect.gen(function* () {
    const { aliasesOf } = yield* Pairing
    return yield* body(PairingStore.make(yield* Database, aliasesOf), aliasesOf)
  }).pipe(Effect.provide(Pairing.layer))

const named = ({ userId, userName }: PairingStore.Principal): string =>
  userName === null || userName.trim() === ""
    ? Output.oneLine(userId)
    : `${Output.oneLine(userName)} (${Output.oneLine(userId)})`

/** The operator reads one list: what is in force beside the pairings follows them (`access P7`). */
const followList = Effect.fnUntraced(function* (
  platform: string,
  change: (entries: ReadonlyArray<string>) => ReadonlyArray<string>
) {
  const { home } = yield* Settings
  const name = settingsOf(platform).allowedUsers.env[0]
  if (name === undefined) return
  const isChanged = yield* edit(join(home, ".env"), (content) => withList(content, name, change))
  if (isChanged) yield* Output.line(`${name} in .env follows`)
})

const notFollowed = (error: FileEditError) =>
  new CommandFailed({
    code: exitCode.defect,
    message: `the pairing is changed, but ${error.path} is not: ${error.message}`
  })

const list = Command.make("list", { json }, ({ json }) =>
  withStore((store) =>
    Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const pending = yield* store.pending(profile)
      const approved = yield* store.approved
      const age = (at: number) => Math.max(0, Math.floor((now - at) / 60_000))
      if (json) {
        return yield* Output.json({
          pending: pending.map(({ createdAt, platform, requestId, userId, userName }) => ({
            platform,
            request_id: requestId,
            user_id: userId,
            user_name: userName,
            age_minutes: age(createdAt)
          })),
          approved: approved.map(({ approvedAt, platform, userId, userName }) => ({
            platform,
            user_id: userId,
            user_name: userName,
            approved_at: new Date(approvedAt).toISOString()
          }))
        })
      }
      if (pending.length + approved.length === 0) return yield* Output.line("Nobody is paired, and nobody asks to be.")
      const name = (text: string | null) => (text === null ? "-" : Output.oneLine(text, 32) || "-")
      if (pending.length > 0) {
        yield* Output.lines(
          Output.table([
            ["pending", "request", "user", "name", "minutes"],
            ...pending.map((row) => [
              row.platform,
              row.requestId,
              Output.oneLine(row.userId),
              name(row.userName),
              String(age(row.createdAt))
            ])
          ])
        )
      }
      if (approved.length > 0) {
        yield* Output.lines([
          ...(pending.length > 0 ? [""] : []),
          ...Output.table([
            ["approved", "user", "name", "since"],
            ...approved.map((row) => [
              row.platform,
              Output.oneLine(row.userId),
              name(row.userName),
              time(row.approvedAt)
            ])
          ])
        ])
      }
    })
  ).pipe(Effect.provide(Storage.command))
).pipe(Command.withDescription("List who is paired and who asks to be"))

const approve = Command.make(
  "approve",
  {
    platform: platformArgument,
    code: Argument.String("code").pipe(Argument.withDescription("The code the user was shown, or the request's id"))
  },
  ({ code, platform: name }) =>
    Effect.gen(function* () {
      const platform = yield* known(name)
      yield* withStore((store, aliasesOf) =>
        Effect.gen(function* () {
          const now = yield* Clock.currentTimeMillis
          const outcome = yield* store.approve({ profile, platform }, code)
          switch (outcome._tag) {
            case "Approved": {
              const { userId } = outcome.user
              const ids = identitiesOf(platform, userId, aliasesOf(platform))
              yield* Output.line(`Approved: ${named(outcome.user)}. Recognised with their next message.`)
              return yield* followList(platform, (entries) => {
                const there = entriesOf(platform, entries, aliasesOf(platform))
                const isNamed = entries.length === 0 || there.has("*") || ids.some((id) => there.has(id))
                // An entry with a comma would be two.
                return isNamed || userId.includes(",") ? entries : [...entries, userId]
              }).pipe(Effect.catchTag("FileEditError", (error) => Effect.fail(notFollowed(error))))
            }
            case "Locked":
              return yield* new CommandFailed({
                code: exitCode.defect,
                message:
                  `too many wrong codes: approvals by code on ${platform} are locked for ` +
                  `${Math.max(1, Math.ceil((outcome.until - now) / 60_000))} more minutes`
              })
            case "NotFound":
              return yield* new CommandFailed({
                code: exitCode.defect,
                message:
                  `no request of ${platform} has that code, or it has expired` +
                  (outcome.locksNow ? "; approvals by code there are locked for 60 minutes" : "")
              })
          }
        })
      )
    }).pipe(Effect.provide(Storage.command))
).pipe(Command.withDescription("Let somebody in who was shown a code"))

const revoke = Command.make(
  "revoke",
  { platform: platformArgument, user: Argument.String("user_id").pipe(Argument.withDescription("Id of the user")) },
  ({ platform: name, user }) =>
    Effect.gen(function* () {
      const platform = yield* known(name)
      yield* withStore((store, aliasesOf) =>
        Effect.gen(function* () {
          if (!(yield* store.revoke({ profile, platform }, user))) {
            return yield* new CommandFailed({
              code: exitCode.defect,
              message: `${Output.oneLine(user)} is not paired on ${platform}`
            })
          }
          yield* Output.line(`Revoked: ${Output.oneLine(user)}.`)
          const gone = new Set(identitiesOf(platform, user, aliasesOf(platform)))
          let isEmptied = false
          yield* followList(platform, (entries) => {
            const left = entries.filter(
              (entry) => !identitiesOf(platform, entry, aliasesOf(platform)).some((id) => gone.has(id))
            )
            isEmptied = left.length === 0 && entries.length > 0
            return left
          }).pipe(Effect.catchTag("FileEditError", (error) => Effect.fail(notFollowed(error))))
          if (isEmptied) {
            yield* Output.line("That list is empty now, which counts as not set: see `access list` for who is let in.")
          }
        })
      )
    }).pipe(Effect.provide(Storage.command))
).pipe(Command.withDescription("Take a pairing back; a running turn of the user is stopped"))

const clear = Command.make("clear", { platform: platformArgument.pipe(Argument.optional) }, ({ platform: name }) =>
  Effect.gen(function* () {
    const platform = Option.isSome(name) ? yield* known(name.value) : null
    const removed = yield* withStore((store) => store.clear(profile, platform))
    yield* Output.line(`${removed} pending ${removed === 1 ? "request" : "requests"} removed`)
  }).pipe(Effect.provide(Storage.command))
).pipe(Command.withDescription("Remove the requests that wait, of all platforms or one"))

export const pairingCommand = Command.make("pairing").pipe(
  Command.withDescription("Let people in who are not on any list"),
  Command.withSubcommands([list, approve, revoke, clear])
)
