import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Redacted, Result } from "effect"
import { TestClock } from "effect/testing"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { ConfigError } from "../../src/Config/ConfigError.ts"
import * as ConfigWatch from "../../src/Config/ConfigWatch.ts"
import * as Gateway from "../../src/Config/GatewaySettings.ts"
import { redact } from "../../src/Config/Redact.ts"
import * as Setting from "../../src/Config/Setting.ts"
import { Settings } from "../../src/Config/Settings.ts"

interface Files {
  readonly yaml?: string
  readonly env?: string
  readonly json?: string
  readonly overlay?: string
  readonly localEnv?: string
}

const temporaryHome = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "switchboard-config-"))),
  (home) => Effect.sync(() => rmSync(home, { recursive: true }))
)

const layerOf = (home: string, environment: Record<string, string> = {}) =>
  Settings.layer({ home, environment, workingDirectory: join(home, "work"), overlay: join(home, "overlay.yaml") })

const place = (home: string, files: Files) => {
  const put = (name: string, content: string | undefined) => {
    if (content !== undefined) writeFileSync(join(home, name), content)
  }
  mkdirSync(join(home, "work"), { recursive: true })
  put("config.yaml", files.yaml)
  put(".env", files.env)
  put("gateway.json", files.json)
  put("overlay.yaml", files.overlay)
  put("work/.env", files.localEnv)
}

const using = <A, E>(
  files: Files,
  environment: Record<string, string>,
  use: (settings: Settings["Service"]) => Effect.Effect<A, E>
) =>
  Effect.scoped(
    Effect.gen(function* () {
      const home = yield* temporaryHome
      place(home, files)
      return yield* Effect.flatMap(Settings, use).pipe(Effect.provide(layerOf(home, environment)))
    })
  )

const read = <A>(files: Files, setting: Setting.Setting<A>, environment: Record<string, string> = {}) =>
  using(files, environment, (settings) => settings.get(setting))

const keyed = <A>(key: string, kind: Setting.Kind<A>, fallback: A) =>
  Setting.make({ key, kind, default: fallback, description: "" })

const Sample = Setting.make({
  key: "sample.one",
  env: "SWITCHBOARD_SAMPLE",
  kind: Setting.text,
  default: "default",
  description: ""
})

describe("rank", () => {
  const all: Files = {
    env: "SWITCHBOARD_SAMPLE=home",
    overlay: "sample: {one: overlay}",
    yaml: "sample: {one: yaml}",
    json: '{"sample": {"one": "json"}}',
    localEnv: "SWITCHBOARD_SAMPLE=local"
  }
  const without = (...names: ReadonlyArray<keyof Files>): Files =>
    Object.fromEntries(Object.entries(all).filter(([name]) => !names.includes(name as keyof Files)))

  it.effect("is .env of the home, environment, .env of the working directory, overlay, file, old file, default", () =>
    Effect.gen(function* () {
      const inherited = { SWITCHBOARD_SAMPLE: "inherited" }
      assert.strictEqual(yield* read(all, Sample, inherited), "home")
      assert.strictEqual(yield* read(without("env"), Sample, inherited), "inherited")
      assert.strictEqual(yield* read(without("env"), Sample), "local")
      assert.strictEqual(yield* read(without("env", "localEnv"), Sample), "overlay")
      assert.strictEqual(yield* read(without("env", "localEnv", "overlay"), Sample), "yaml")
      assert.strictEqual(yield* read(without("env", "localEnv", "overlay", "yaml"), Sample), "json")
      assert.strictEqual(yield* read({}, Sample), "default")
    })
  )

  it.effect("takes an empty variable of .env for not set", () =>
    Effect.gen(function* () {
      assert.strictEqual(
        yield* read({ env: "SWITCHBOARD_SAMPLE=" }, Sample, { SWITCHBOARD_SAMPLE: "inherited" }),
        "inherited"
      )
    })
  )

  it.effect("reads the reference's old name below the new one, and never HERMES_HOME", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* read({ env: "HERMES_SAMPLE=old" }, Sample), "old")
      assert.strictEqual(yield* read({ env: "HERMES_SAMPLE=old" }, Sample, { SWITCHBOARD_SAMPLE: "new" }), "new")
    })
  )

  it.effect("puts the top level over gateway: by presence", () =>
    Effect.gen(function* () {
      const mode = keyed("session_reset.mode", Setting.text, "none")
      assert.strictEqual(yield* read({ yaml: "gateway: {session_reset: {mode: idle}}" }, mode), "idle")
      assert.strictEqual(
        yield* read({ yaml: "session_reset: {}\ngateway: {session_reset: {mode: idle}}" }, mode),
        "none"
      )
      assert.strictEqual(yield* read({ yaml: "session_reset:\ngateway: {session_reset: {mode: idle}}" }, mode), "none")
      assert.isTrue(
        yield* read({ yaml: "streaming: yes\ngateway: {streaming: {enabled: true}}" }, Gateway.StreamingEnabled)
      )
    })
  )

  it.effect("finds a platform's key in every block, in or beside extra", () =>
    Effect.gen(function* () {
      const port = keyed("platforms.webhook.port", Setting.port, 0)
      assert.strictEqual(yield* read({ yaml: "platforms: {webhook: {port: 9100, extra: {}}}" }, port), 9100)
      assert.strictEqual(yield* read({ yaml: "webhook: {extra: {port: 1}}\nplatforms: {webhook: {port: 2}}" }, port), 1)
      assert.strictEqual(
        yield* read({ yaml: "gateway: {Webhook: {port: 3}, platforms: {webhook: {port: 4}}}" }, port),
        3
      )
      const both = { yaml: "gateway: {platforms: {telegram: {extra: {a: 1}}}}\nplatforms: {telegram: {extra: {b: 2}}}" }
      assert.strictEqual(yield* read(both, keyed("platforms.telegram.a", Setting.int(), 0)), 1)
      assert.strictEqual(yield* read(both, keyed("platforms.telegram.b", Setting.int(), 0)), 2)
    })
  )
})

describe("kinds", () => {
  const decoded = <A>(kind: Setting.Kind<A>, fallback: A, raw: unknown) =>
    Effect.flatMap(Settings, (settings) => settings.get(keyed("x", kind, fallback))).pipe(
      Effect.provide(Settings.layerFrom({ x: raw }))
    )

  it.effect("coerce as the statement says", () =>
    Effect.gen(function* () {
      for (const yes of ["true", " TRUE ", "1", "yes", "On", true, 1])
        assert.isTrue(yield* decoded(Setting.boolean, false, yes))
      for (const no of ["false", "0", "NO", "off", false, 0]) assert.isFalse(yield* decoded(Setting.boolean, true, no))
      assert.isTrue(yield* decoded(Setting.boolean, true, "perhaps"))
      for (const [raw, value] of [
        ["12", 12],
        [7, 7],
        [true, null],
        [1.5, null],
        [-1, null],
        [0, null],
        [null, null]
      ] as const) {
        assert.strictEqual(yield* decoded(Setting.positiveInt, null, raw), value)
      }
      assert.strictEqual(yield* decoded(Setting.int({ min: 0, max: 23 }), 4, 24), 4)
      assert.strictEqual(yield* decoded(Setting.number(), 3, "x"), 3)
      assert.strictEqual(Duration.toMillis(yield* decoded(Setting.seconds, Duration.zero, "0.8")), 800)
      assert.strictEqual(Duration.toMillis(yield* decoded(Setting.seconds, Duration.zero, -5)), 0)
      const transport = Setting.oneOf(["auto", "draft", "edit", "off"])
      assert.strictEqual(yield* decoded(transport, "auto", false), "off")
      assert.strictEqual(yield* decoded(transport, "off", true), "auto")
      assert.strictEqual(yield* decoded(transport, "off", " Edit "), "edit")
      assert.deepStrictEqual(yield* decoded(Setting.list, [], " a, b ,,c"), ["a", "b", "c"])
      assert.strictEqual(yield* decoded(Setting.verbatim, "", " ▉"), " ▉")
      assert.strictEqual(yield* decoded(Setting.optionalText, "x", "  "), null)
    })
  )

  it.effect("refuse a bad word, port or short secret instead of guessing", () =>
    Effect.gen(function* () {
      const failing: ReadonlyArray<Effect.Effect<unknown, ConfigError>> = [
        decoded(Setting.oneOf(["a", "b"]), "a", "c"),
        decoded(Setting.port, 1, 70_000),
        decoded(Setting.longSecret(16), null, "too-short-secret".slice(1))
      ]
      for (const effect of failing) {
        const result = yield* Effect.result(effect)
        assert.isTrue(Result.isFailure(result))
        if (Result.isFailure(result)) assert.notInclude(result.failure.message, "oo-short-secret")
      }
    })
  )

  it.effect("keep all digits of an id, as value and as key", () =>
    Effect.gen(function* () {
      const yaml =
        "discord:\n  free_response_channels: [1234567890123456789, 007]\nphone: +4917012345\nids: {1234567890123456789: a}"
      const channels = keyed("platforms.discord.free_response_channels", Setting.list, [])
      assert.deepStrictEqual(yield* read({ yaml }, channels), ["1234567890123456789", "007"])
      assert.strictEqual(yield* read({ yaml }, keyed("phone", Setting.text, "")), "+4917012345")
      assert.strictEqual(yield* read({ yaml }, keyed("ids.1234567890123456789", Setting.text, "")), "a")
    })
  )

  it.effect("make a secret Redacted and known to the redactor as it is read", () =>
    Effect.gen(function* () {
      const Token = Setting.make({ env: "MY_BOT_TOKEN", kind: Setting.secret, default: null, description: "" })
      const value = yield* read({ env: "export MY_BOT_TOKEN='plainsecretvalue\u200b'" }, Token)
      assert.strictEqual(value === null ? null : Redacted.value(value), "plainsecretvalue")
      assert.strictEqual(redact("it is plainsecretvalue."), "it is ***.")
    })
  )
})

describe("cases of the statement", () => {
  const cases: ReadonlyArray<readonly [yaml: string, enabled: boolean | null, transport: string]> = [
    ["gateway: {streaming: {mode: auto}}", true, "auto"],
    ["streaming: {transport: edit}", null, "edit"],
    ["streaming: {mode: off}", false, "off"],
    ["streaming: {mode: false}", false, "off"],
    ["streaming: {mode: auto, enabled: false}", false, "auto"]
  ]
  for (const [yaml, enabled, transport] of cases) {
    it.effect(yaml, () =>
      Effect.gen(function* () {
        assert.strictEqual(yield* read({ yaml }, Gateway.StreamingEnabled), enabled)
        assert.strictEqual(yield* read({ yaml }, Gateway.StreamingTransport), transport)
      })
    )
  }
})

describe("problems", () => {
  const failureOf = (files: Files) => Effect.flip(using(files, {}, () => Effect.void))

  it.effect("a file that does not parse is an error with line and column", () =>
    Effect.gen(function* () {
      const error = yield* failureOf({ yaml: "a: 1\nb: [1, 2\nc: 3\n" })
      assert.match(error.problems[0]!.where, /^config\.yaml:[23]:\d+$/)
      assert.strictEqual(error.problems[0]!.level, "error")
      for (const yaml of ["- a\n- b", "a: 1\na: 2", "just text", "a: *nowhere", "a: &x [*x, *x]"]) {
        assert.isAbove((yield* failureOf({ yaml })).problems.length, 0)
      }
    })
  )

  it.effect("an alias bomb is refused", () =>
    Effect.gen(function* () {
      const rows = Array.from({ length: 9 }, (_, n) => `a${n + 1}: &a${n + 1} [${Array(9).fill(`*a${n}`).join(", ")}]`)
      const error = yield* failureOf({ yaml: ["a0: &a0 [x]", ...rows].join("\n") })
      assert.isAbove(error.problems.length, 0)
    })
  )

  it.effect("a torn file of the old format counts as absent, an empty one as empty", () =>
    using({ json: '{"sample": {', yaml: "" }, {}, (settings) =>
      Effect.gen(function* () {
        assert.strictEqual(yield* settings.get(Sample), "default")
        assert.isAbove(settings.check([Sample]).length, 0)
      })
    )
  )

  it.effect("an unknown key is a warning with its place and the nearest name", () =>
    using(
      {
        yaml: "sample:\n  onee: 1\nlogging: 5\ntelegrm: {token: x}\nplatforms: {slak: {}}\n",
        env: "SWITCHBOARD_SAMPEL=x"
      },
      {},
      (settings) =>
        Effect.sync(() => {
          const known = [
            Sample,
            Gateway.LoggingLevel,
            keyed("platforms.telegram.token", Setting.secret, null),
            keyed("platforms.slack.token", Setting.secret, null)
          ]
          const problems = settings.check(known).map(({ fix, level, where }) => `${level} ${where} ${fix}`)
          assert.deepStrictEqual(problems, [
            'warning config.yaml:2:3 sample.onee did you mean "one"?',
            "warning config.yaml:3:1 logging write its keys below it, indented: level",
            'warning config.yaml:4:1 telegrm did you mean "telegram"?',
            'warning config.yaml:5:13 platforms.slak did you mean "slack"?',
            'warning SWITCHBOARD_SAMPEL did you mean "SWITCHBOARD_SAMPLE"?'
          ])
        })
    )
  )

  it.effect("a lenient value that does not decode is the default, and named", () =>
    using({ yaml: "agent:\n  gateway_timeout: soon\n" }, {}, (settings) =>
      Effect.gen(function* () {
        assert.strictEqual(Duration.toSeconds(yield* settings.get(Gateway.AgentGatewayTimeout)), 1800)
        const [problem] = settings.check([Gateway.AgentGatewayTimeout])
        assert.deepInclude(problem, {
          level: "warning",
          where: "config.yaml:2:3 agent.gateway_timeout",
          value: '"soon"'
        })
        assert.strictEqual(settings.explain(Gateway.AgentGatewayTimeout).origin, "default")
      })
    )
  )

  it.effect("a placeholder is shown by six characters at most, and no secret at all", () =>
    using(
      { env: "A_TOKEN=changeme\nSWITCHBOARD_ADMIN_KEY=abcdefghijklmnop\nSWITCHBOARD_STORAGE=postgres://u:pw12345@h/d" },
      {},
      (settings) =>
        Effect.gen(function* () {
          const Token = Setting.make({ env: "A_TOKEN", kind: Setting.secret, default: null, description: "" })
          assert.include(settings.check([Token])[0]!.value, '"change"')
          assert.deepStrictEqual(settings.explain(Gateway.AdminKey), {
            value: "(secret)",
            origin: ".env SWITCHBOARD_ADMIN_KEY"
          })
          assert.notInclude(JSON.stringify(settings.explain(Gateway.Storage)), "pw12345")
          const storage = yield* settings.get(Gateway.Storage)
          assert.strictEqual(storage._tag, "postgres")
          assert.strictEqual(redact("failed for pw12345"), "failed for ***")
        })
    )
  )
})

describe("gateway settings", () => {
  it.effect("start the connector without a relay URL, and the echo agent while nothing is configured", () =>
    Effect.gen(function* () {
      const both = (values: Record<string, unknown>) =>
        Effect.all([Gateway.connectorEnabled, Gateway.agentKind]).pipe(Effect.provide(Settings.layerFrom(values)))
      assert.deepStrictEqual(yield* both({}), [true, "echo"])
      assert.deepStrictEqual(yield* both({ GATEWAY_RELAY_URL: "wss://x", SWITCHBOARD_ACP_COMMAND: "agent" }), [
        false,
        "acp"
      ])
      assert.deepStrictEqual(
        yield* both({ GATEWAY_RELAY_URL: "wss://x", SWITCHBOARD_CONNECTOR: "on", SWITCHBOARD_AGENT: "openai" }),
        [true, "openai"]
      )
    })
  )
})

describe("a change of the files", () => {
  it.effect("reaches live settings within 5 seconds, names the others, and is refused whole when broken", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const home = yield* temporaryHome
        place(home, { yaml: "logging: {level: info}\nstreaming: {cursor: a}" })
        const known = [Gateway.LoggingLevel, Gateway.StreamingCursor, Gateway.DeliveryAmbiguous]
        yield* Effect.gen(function* () {
          const settings = yield* Settings
          const both = Effect.all([settings.get(Gateway.LoggingLevel), settings.get(Gateway.StreamingCursor)])
          yield* Effect.yieldNow
          place(home, { yaml: "logging: {level: debug}\nstreaming: {cursor: other}" })
          yield* TestClock.adjust("5 seconds")
          assert.deepStrictEqual(yield* both, ["DEBUG", "a"])
          assert.deepStrictEqual(settings.restartNeeded(known), ["streaming.cursor"])
          place(home, { yaml: "logging: {level: error}\ndelivery: {ambiguous: perhaps}" })
          yield* TestClock.adjust("5 seconds")
          assert.deepStrictEqual(yield* both, ["DEBUG", "a"])
          place(home, { yaml: "logging: {level: error" })
          yield* TestClock.adjust("5 seconds")
          assert.deepStrictEqual(yield* both, ["DEBUG", "a"])
        }).pipe(Effect.provide(ConfigWatch.layer(known)), Effect.provide(layerOf(home)))
      })
    )
  )
})
