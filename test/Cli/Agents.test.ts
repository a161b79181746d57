/** Which agent the settings choose, and every way in which they cannot (`operations L4`: exit 78). */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { chosenAgent } from "../../src/Cli/Agents.ts"
import type { ConfigError } from "../../src/Config/ConfigError.ts"
import { Settings } from "../../src/Config/Settings.ts"

const choose = (values: Readonly<Record<string, unknown>>) =>
  Effect.provide(chosenAgent, Settings.layerFrom({ PATH: process.env["PATH"], ...values }))

const wrong = (values: Readonly<Record<string, unknown>>): Effect.Effect<ConfigError> =>
  Effect.orDie(Effect.flip(choose(values)))

const openai = { OPENAI_BASE_URL: "http://127.0.0.1:1234", OPENAI_MODEL: "m" }

describe("the agent that is chosen", () => {
  for (const [name, values] of [
    ["echo", {}],
    ["openai", openai],
    ["openai", { SWITCHBOARD_AGENT: "openai", OPENAI_API_KEY: "sk-1234567890", OPENAI_MODEL: "m" }],
    ["openai", { ...openai, "agent.openai.fallbacks": ["n", { model: "o", base_url: "https://example.org/v1" }] }],
    ["acp", { SWITCHBOARD_ACP_COMMAND: "node --version" }],
    ["proxy", { GATEWAY_PROXY_URL: "http://127.0.0.1:8642", SWITCHBOARD_AGENT: "echo" }],
    ["echo", { SWITCHBOARD_AGENT: "echo", ...openai }],
    [
      "echo",
      {
        agents: {
          coder: { kind: "acp", command: "node agent.js" },
          big: { kind: "openai", base_url: "http://x", model: "m" }
        },
        "agent.routes": [
          { command: "code", agent: "coder" },
          { user: 7, agent: "big" }
        ]
      }
    ]
  ] as const) {
    it.effect(`is ${name} with ${JSON.stringify(values)}`, () =>
      Effect.gen(function* () {
        assert.strictEqual((yield* choose(values)).name, name)
      })
    )
  }

  for (const [where, values] of [
    ["OPENAI_BASE_URL", { SWITCHBOARD_AGENT: "openai", OPENAI_MODEL: "m" }],
    ["OPENAI_BASE_URL", { ...openai, OPENAI_BASE_URL: "localhost:1234" }],
    ["OPENAI_MODEL", { OPENAI_BASE_URL: "http://127.0.0.1:1234" }],
    ["GATEWAY_PROXY_URL", { GATEWAY_PROXY_URL: "ftp://x" }],
    ["SWITCHBOARD_ACP_COMMAND", { SWITCHBOARD_AGENT: "acp" }],
    ["SWITCHBOARD_ACP_COMMAND", { SWITCHBOARD_ACP_COMMAND: "no-such-agent --acp" }],
    ["SWITCHBOARD_ACP_COMMAND", { SWITCHBOARD_ACP_COMMAND: "node 'open" }],
    ["agents.coder.command", { agents: { coder: { kind: "acp", command: "no-such-agent" } } }],
    ["agents.echo", { agents: { echo: { kind: "echo" } } }],
    ["agent.routes", { "agent.routes": [{ agent: "nobody" }] }]
  ] as const) {
    it.effect(`is none with ${JSON.stringify(values)}: ${where} is named, with a fix`, () =>
      Effect.gen(function* () {
        const [problem] = (yield* wrong(values)).problems
        assert.strictEqual(problem?.where, where)
        assert.notStrictEqual(problem?.fix, "")
      })
    )
  }
})
