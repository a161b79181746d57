/**
 * What a gateway must do when its connection, its peer or itself fails or ends: dialling again, refusals, kill -9, drain.
 * Each group has a process of its own; the slow ones wait as long as the contract does.
 */
import { Effect } from "effect"
import { type Check, expect, promptly, until } from "./Check.ts"
import { describedChecks, linkChecks, observedChecks } from "./GatewayChecks.ts"
import { descriptor } from "./KitConnector.ts"
import { type GatewayStage, once, type StageOptions, timings } from "./GatewayStage.ts"

type GatewayCheck = Check<GatewayStage>

export interface Group {
  readonly stage: StageOptions
  /** It waits for what the contract counts in tens of seconds. */
  readonly isSlow: boolean
  readonly checks: ReadonlyArray<GatewayCheck>
}

const alive = (stage: GatewayStage) =>
  expect(stage.running().exited() === undefined, () => `it ended: ${stage.running().lastWords()}`)

const life: ReadonlyArray<GatewayCheck> = [
  {
    statement: "C3",
    name: "pong",
    about: "it answers a ping",
    run: (stage) =>
      Effect.gen(function* () {
        yield* stage.ready
        const link = stage.connector.link!
        link.socket.ping()
        yield* until("a pong", () => link.pongs > 0)
      })
  },
  {
    statement: "I3",
    name: "kill",
    about: "what is acknowledged outlives kill -9, and is answered once",
    run: (stage) =>
      Effect.gen(function* () {
        yield* stage.ready
        yield* stage.echo
        const { connector } = stage
        const id = connector.deliver("killed", "outlives the kill", { messageId: "killed-1" })
        yield* stage.acknowledged(id)
        yield* stage.running().kill
        yield* until("the end of its connection", () => connector.link === undefined)
        yield* stage.start
        yield* stage.ready
        yield* stage.shows("killed", "outlives the kill", 30)
        connector.deliver("killed", "outlives the kill", { messageId: "killed-1", bufferId: id })
        yield* stage.acknowledged(id, 2)
        yield* stage.answers("killed", "after the kill")
        yield* once(stage, "killed", "outlives the kill")
      })
  },
  {
    statement: "C5",
    name: "while-down",
    about: "what is answered while the link is down is said once it is up, in order",
    run: (stage) =>
      Effect.gen(function* () {
        yield* stage.ready
        yield* stage.echo
        const { connector } = stage
        const ids = ["first", "second", "third"].map((word) =>
          connector.deliver("down", word === "first" ? `!sleep 500 ${word} while down` : `${word} while down`)
        )
        for (const id of ids) yield* stage.acknowledged(id)
        connector.script.status = 503
        connector.link?.socket.terminate()
        yield* Effect.sleep("1500 millis")
        connector.script.status = null
        yield* stage.shows("down", "third while down", 45)
        for (const word of ["first", "second", "third"]) yield* once(stage, "down", `${word} while down`)
        const order = connector.texts("down").flatMap((text) => /(\w+) while down/.exec(text)?.[1] ?? [])
        yield* expect(order.join() === "first,second,third", () => `the order is ${order.join()}`)
      })
  },
  {
    statement: "L6",
    name: "replay",
    about: "a buffer that is replayed is taken whole and in order, before what is live",
    run: (stage) =>
      Effect.gen(function* () {
        yield* stage.ready
        yield* stage.echo
        const { connector } = stage
        yield* stage.cut
        const numbers = Array.from({ length: 20 }, (_, n) => n)
        const lines = numbers.map((n) => connector.line("replayed", `number ${n}.`))
        connector.raw(lines.map(({ line }) => line).join(""))
        for (const { bufferId } of lines) yield* stage.acknowledged(bufferId)
        yield* stage.answers("replayed", "live at last")
        const shown = connector.texts("replayed").flatMap((text) => /number (\d+)\./.exec(text)?.[1] ?? [])
        yield* expect(shown.join() === numbers.join(), () => `the order is ${shown.join()}`)
      })
  }
]

const drain: GatewayCheck = {
  statement: "C4",
  name: "drain",
  about: "asked to stop it says going_idle, still takes what comes, and closes with 1000",
  run: (stage) =>
    Effect.gen(function* () {
      yield* stage.ready
      yield* stage.echo
      const { connector } = stage
      const link = connector.link!
      const before = connector.goingIdle
      yield* stage.acknowledged(connector.deliver("drained", "!sleep 1500 said while draining"))
      yield* Effect.ignore(
        until(
          "typing",
          () => connector.asked.some(({ action }) => "chat_id" in action && action.chat_id === "drained"),
          {
            seconds: 3
          }
        )
      )
      yield* stage.running().stop
      yield* until("going_idle", () => connector.goingIdle > before)
      yield* stage.acknowledged(connector.deliver("late", "late"))
      yield* stage.shows("drained", "said while draining")
      yield* until("the end of the connection", () => link.closed !== null, { seconds: 30 })
      yield* expect(link.closed === 1000, () => `it closed with ${link.closed}`)
      yield* until("the end of the process", () => stage.running().exited() !== undefined, { seconds: 30 })
      yield* expect(stage.running().exited() === 0, () => `the exit code is ${stage.running().exited()}`)
    })
}

const several: ReadonlyArray<GatewayCheck> = [
  {
    statement: "H3",
    name: "identities",
    about: "one hello for each of several identities",
    run: (stage) =>
      Effect.andThen(
        stage.ready,
        until(
          "two hellos",
          () =>
            stage.connector.link?.hellos.map(({ botId, platform }) => `${platform}:${botId}`).join() ===
            "discord:D1,telegram:T1",
          {
            seen: () => JSON.stringify(stage.connector.link?.hellos)
          }
        )
      )
  },
  {
    statement: "O1",
    name: "identity",
    about: "an action among several identities names the one it is for",
    run: (stage) =>
      Effect.gen(function* () {
        yield* stage.ready
        yield* stage.echo
        const { connector } = stage
        connector.deliver("named", "who am I", { source: { platform: "telegram" } })
        yield* stage.shows("named", "who am I")
        const asked = connector.asked.find(({ action }) => action.op === "send" && action.chat_id === "named")
        yield* expect(
          asked?.named?.platform === "telegram" && asked.named.botId === "T1",
          () => `it names ${JSON.stringify(asked?.named)}`
        )
      })
  },
  {
    statement: "P1",
    name: "bad-forward",
    about: "a forward whose body is no base64 is acknowledged and costs nothing else",
    run: (stage) =>
      Effect.gen(function* () {
        yield* stage.ready
        const { connector } = stage
        const before = connector.links.length
        connector.expectAck("bad-forward")
        const forward = { platform: "discord", botId: "D1", method: "POST", path: "/", headers: [], bodyB64: "*" }
        connector.say({ type: "passthrough_forward", bufferId: "bad-forward", forward })
        yield* stage.acknowledged("bad-forward")
        yield* expect(connector.links.length === before, () => "the connection was lost")
      })
  },
  {
    statement: "P2",
    name: "interaction",
    about: "a Discord interaction is a message, answered by follow_up with its session",
    run: (stage) =>
      Effect.gen(function* () {
        yield* stage.ready
        yield* stage.echo
        const { connector } = stage
        const field = { type: 1, components: [{ type: 4, custom_id: "Wish", value: "a walk" }] }
        const body = {
          type: 5,
          id: "interaction-1",
          channel_id: "channel-1",
          guild_id: "guild-1",
          member: { user: { id: "u1", username: "ada" } },
          data: { custom_id: "form", components: [field] }
        }
        connector.expectAck("interaction")
        connector.say({
          type: "passthrough_forward",
          bufferId: "interaction",
          forward: {
            platform: "discord",
            botId: "D1",
            method: "POST",
            path: "/interactions",
            headers: [["content-type", "application/json"]],
            bodyB64: Buffer.from(JSON.stringify(body)).toString("base64")
          }
        })
        yield* stage.acknowledged("interaction")
        const replies = () =>
          connector.asked.flatMap(({ action }) =>
            action.op === "follow_up" && action.content.includes("a walk") ? [action] : []
          )
        yield* until("a follow_up", () => replies().length > 0, {
          seen: () => JSON.stringify(connector.asked.slice(-3).map(({ action }) => action))
        })
        const [reply] = replies()
        yield* expect(reply!.kind === "discord.interaction_token", () => `its kind is ${reply!.kind}`)
        yield* expect(reply!.session_key.includes("channel-1"), () => `its session is ${reply!.session_key}`)
      })
  }
]

const refused: ReadonlyArray<GatewayCheck> = [
  {
    statement: "C1",
    name: "redial",
    about: "a dial that fails is repeated, with growing pauses",
    run: ({ connector }) =>
      Effect.gen(function* () {
        yield* until("the first dial", () => connector.dials.length > 0, { seconds: 60 })
        yield* Effect.sleep("2 seconds")
        // The pauses are random within 0.5, 1, 2, 4 … s: this many in two seconds is no backoff.
        yield* expect(connector.dials.length < 20, () => `${connector.dials.length} dials in 2 s`)
        yield* until("another dial", () => connector.dials.length > 1)
      })
  },
  {
    statement: "C2",
    name: "refused-first",
    about: "refused before it was ever let in, it tries again",
    run: (stage) =>
      Effect.gen(function* () {
        const { connector } = stage
        const before = connector.dials.length
        connector.script.status = 401
        yield* until("a refused dial", () => connector.dials.length > before, { seconds: 60 })
        connector.script.status = null
        yield* until("the handshake", () => connector.isReady, { seconds: 40 })
      })
  },
  {
    statement: "C2",
    name: "revoked",
    about: "closed with 4401 after a good handshake, it stops dialling and lives on",
    run: (stage) =>
      Effect.gen(function* () {
        const { connector } = stage
        connector.script.status = null
        yield* until("the handshake", () => connector.isReady, { seconds: 60 })
        const before = connector.dials.length
        connector.link!.socket.close(4401)
        yield* Effect.sleep("4 seconds")
        yield* expect(connector.dials.length === before, () => "it dialled again")
        yield* alive(stage)
      })
  }
]

const slowPings: ReadonlyArray<GatewayCheck> = [
  {
    statement: "O1",
    name: "no-answer",
    about: "an action without an answer is given up after 30 s, and made again under the same key",
    run: (stage) =>
      Effect.gen(function* () {
        yield* stage.ready
        yield* stage.echo
        const { connector } = stage
        const said = () => connector.asked.filter(({ action }) => action.op === "send" && action.chat_id === "mute")
        connector.script.answer = (asked) => {
          const result = connector.show(asked)
          return asked === said()[0] ||
            (asked.action.op === "send" && asked.action.chat_id === "mute" && said().length === 0)
            ? undefined
            : result
        }
        connector.deliver("mute", "nobody answers this")
        yield* until("the action again", () => said().length > 1, { seconds: timings.answer + promptly })
        yield* expect(said()[0]!.key !== null && said()[0]!.key === said()[1]!.key, () => "the key is another one")
        yield* once(stage, "mute", "nobody answers this")
      })
  },
  {
    statement: "C3",
    name: "ping",
    about: "it pings",
    run: (stage) =>
      Effect.andThen(
        stage.ready,
        until("a ping", () => stage.connector.links.some(({ pings }) => pings > 0), { seconds: timings.ping + 5 })
      )
  }
]

const halfOpen: GatewayCheck = {
  statement: "C3",
  name: "half-open",
  about: "without a pong it gives the connection up and dials again",
  run: (stage) =>
    Effect.gen(function* () {
      const { connector } = stage
      yield* stage.ready
      const before = connector.dials.length
      yield* until("another dial", () => connector.dials.length > before, {
        seconds: timings.ping + timings.pong + promptly
      })
    })
}

const undescribed: GatewayCheck = {
  statement: "H3",
  name: "no-descriptor",
  about: "without a descriptor the attempt fails after 30 s, and there is another",
  run: (stage) =>
    Effect.gen(function* () {
      const { connector } = stage
      yield* until("hello", () => (connector.links[0]?.hellos.length ?? 0) > 0, { seconds: 60 })
      yield* until("another dial", () => connector.dials.length > 1, { seconds: timings.handshake + promptly })
    })
}

export const groups: ReadonlyArray<Group> = [
  { stage: { script: { pongs: false } }, isSlow: true, checks: [halfOpen] },
  { stage: { script: { describes: false } }, isSlow: true, checks: [undescribed] },
  { stage: {}, isSlow: true, checks: slowPings },
  { stage: {}, isSlow: false, checks: [...linkChecks, ...life, ...observedChecks, drain] },
  {
    stage: {
      identities: [
        { platform: "discord", botId: "D1" },
        { platform: "telegram", botId: "T1" }
      ]
    },
    isSlow: false,
    checks: several
  },
  {
    stage: {
      script: { descriptor: { ...descriptor, max_message_length: 300, len_unit: "utf16", supported_ops: ["send"] } }
    },
    isSlow: false,
    checks: describedChecks
  },
  { stage: { script: { status: 503 } }, isSlow: false, checks: refused }
]
