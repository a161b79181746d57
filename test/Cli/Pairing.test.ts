/** `pairing` and `access` as processes of their own, beside a database that a gateway has left. */
import { join } from "node:path"
import { readFileSync, writeFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as PairingStore from "../../src/Access/PairingStore.ts"
import { noAliases } from "../../src/Message/WhatsAppIdentity.ts"
import { Database } from "../../src/Storage/Database.ts"
import { makeHome } from "../support/GatewayProcess.ts"
import { command } from "./CommandProcess.ts"

const asked = (home: string, userId: string) =>
  Effect.gen(function* () {
    const store = PairingStore.make(yield* Database, () => noAliases)
    const request = yield* store.request({ profile: "", platform: "telegram", userId, userName: "Anna\u001b[31m" })
    if (request._tag !== "Issued") throw new Error(request._tag)
    return request.code
  }).pipe(
    Effect.provide(Layer.orDie(Database.layer({ storage: "sqlite", filename: join(home, "switchboard.db") }))),
    Effect.orDie
  )

describe("pairing", () => {
  it.live(
    "a request is listed without its code, approved, listed by access, and revoked",
    () =>
      Effect.gen(function* () {
        const home = yield* makeHome
        assert.deepStrictEqual(yield* command(home, ["pairing", "list"]), {
          code: 0,
          stdout: "Nobody is paired, and nobody asks to be.\n",
          stderr: ""
        })
        const env = join(home, ".env")
        writeFileSync(env, "# mine\nTELEGRAM_ALLOWED_USERS=1\n", { mode: 0o600 })
        const code = yield* asked(home, "7")
        const listed = yield* command(home, ["pairing", "list", "--json"])
        assert.notInclude(listed.stdout, code)
        const { pending } = JSON.parse(listed.stdout) as {
          pending: ReadonlyArray<{ user_id: string; request_id: string }>
        }
        assert.deepStrictEqual(
          pending.map(({ user_id }) => user_id),
          ["7"]
        )
        assert.notInclude((yield* command(home, ["pairing", "list"])).stdout, "\u001b")

        assert.strictEqual((yield* command(home, ["pairing", "approve", "telegram", "AAAAAAAA"])).code, 1)
        assert.strictEqual((yield* command(home, ["pairing", "approve", "nowhere", code])).code, 2)
        const approved = yield* command(home, ["pairing", "approve", "Telegram", code.toLowerCase()])
        assert.strictEqual(approved.code, 0, approved.stderr)
        assert.include(approved.stdout, "Recognised with their next message")
        assert.strictEqual(readFileSync(env, "utf8"), "# mine\nTELEGRAM_ALLOWED_USERS=1,7\n")

        const explained = yield* command(home, ["access", "explain", "telegram", "7"])
        assert.match(explained.stdout, /^allowed by rule 8: the sender was paired\n {2}pairing, from pairing approve\n/)
        const refused = yield* command(home, ["access", "explain", "telegram", "9", "--json"])
        const { allow, rule } = JSON.parse(refused.stdout) as { allow: boolean; rule: string }
        assert.deepStrictEqual({ allow, rule }, { allow: false, rule: "13" })
        const grants = JSON.parse((yield* command(home, ["access", "list", "--json"])).stdout) as ReadonlyArray<{
          grant: string
          origin: string
        }>
        assert.deepStrictEqual(
          grants.map(({ grant, origin }) => [grant, origin]),
          [
            ["TELEGRAM_ALLOWED_USERS", ".env TELEGRAM_ALLOWED_USERS"],
            ["pairing", "pairing approve"]
          ]
        )

        assert.strictEqual((yield* command(home, ["pairing", "revoke", "telegram", "7"])).code, 0)
        assert.strictEqual(readFileSync(env, "utf8"), "# mine\nTELEGRAM_ALLOWED_USERS=1\n")
        assert.strictEqual((yield* command(home, ["pairing", "revoke", "telegram", "7"])).code, 1)
        yield* asked(home, "8")
        assert.strictEqual((yield* command(home, ["pairing", "clear"])).stdout, "1 pending request removed\n")
      }),
    120_000
  )
})
