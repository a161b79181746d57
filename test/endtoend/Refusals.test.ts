/** What the program refuses to start with, and how it says so (`operations F11`, `L4`, exit codes). */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as GatewayProcess from "../support/GatewayProcess.ts"
import * as Scene from "../support/Scene.ts"

interface Bad {
  readonly title: string
  readonly env?: Record<string, string>
  readonly config?: string
  readonly key: string
  readonly kind: RegExp
  readonly hidden?: string
}

const cases: ReadonlyArray<Bad> = [
  {
    title: "a port that is no number",
    env: { SWITCHBOARD_HTTP_PORT: "banana" },
    key: "SWITCHBOARD_HTTP_PORT",
    kind: /port|number/
  },
  {
    title: "a storage that it does not know",
    env: { SWITCHBOARD_STORAGE: "mysql://root:hunter2-hunter2@db/x" },
    key: "SWITCHBOARD_STORAGE",
    kind: /sqlite|postgres/,
    hidden: "hunter2-hunter2"
  },
  {
    title: "an admin key that is too short",
    env: { SWITCHBOARD_ADMIN_KEY: "tooshort" },
    key: "SWITCHBOARD_ADMIN_KEY",
    kind: /16/,
    hidden: "tooshort"
  },
  {
    title: "a file that is no YAML",
    config: "streaming: [unclosed\nagent: {",
    key: "config.yaml",
    kind: /YAML|mapping/i
  }
]

describe("bad configuration", () => {
  for (const bad of cases) {
    it.live(
      `${bad.title} ends the start with 78 and a line that says where, what was expected and what to do`,
      () =>
        Effect.gen(function* () {
          const home = yield* GatewayProcess.makeHome
          if (bad.config !== undefined) GatewayProcess.writeConfig(home, bad.config)
          const gateway = yield* GatewayProcess.start({ home, env: { SWITCHBOARD_CONNECTOR: "off", ...bad.env } })
          const exit = yield* gateway.awaitExit(20)
          const said = `${gateway.stdout()}\n${gateway.stderr()}`
          assert.strictEqual(exit.code, 78, said)
          const line = said.split("\n").find((line) => line.includes(bad.key) && line.includes("expected")) ?? ""
          assert.match(line, bad.kind, said)
          assert.match(line, /expected [^;]+; \S+/, "the fix follows what was expected")
          if (bad.hidden !== undefined) assert.notInclude(said, bad.hidden)
        }).pipe(Effect.scoped),
      { timeout: 45_000 }
    )
  }
})

describe("a second gateway on the same home", () => {
  it.live(
    "ends with 1 and names the first, which goes on",
    () =>
      Effect.gen(function* () {
        const scene = yield* Scene.make()
        const second = yield* GatewayProcess.start({ home: scene.home, relayUrl: scene.connector.url })
        const exit = yield* second.awaitExit(20)
        assert.strictEqual(exit.code, 1, second.stderr())
        assert.include(`${second.stdout()}${second.stderr()}`, String(scene.gateway().pid))
        scene.say("ada", "still here")
        yield* scene.shows("ada", "still here")
        assert.strictEqual(scene.connector.counts.connections, 1)
        assert.strictEqual(scene.connector.counts.refusedUpgrades, 0)
      }).pipe(Effect.scoped),
    { timeout: 60_000 }
  )
})
