/** Commands that only tell something: help and lists, who the caller is, what runs here (`commands`, Information). */
import { basename } from "node:path"
import { Duration, Effect } from "effect"
import { Sessions } from "../../Session/Sessions.ts"
import { Settings } from "../../Config/Settings.ts"
import { askerOf } from "./Asking.ts"
import type { CommandDef, Run } from "./CommandDef.ts"
import * as Said from "./CommandTexts.ts"
import { GatewayControls } from "./GatewayControls.ts"
import { help, pageOf } from "./Help.ts"
import { Skills } from "./Skills.ts"

const pageSize = 20
/** Telegram's messages are narrower. */
const telegramPageSize = 15

const showHelp: Run = (invocation) => {
  const { hiddenSkills, text } = help(invocation.entries(), invocation.args)
  const found = text === "" ? Said.information.nothingMatches(invocation.args) : text
  return Effect.succeed({ text: hiddenSkills === 0 ? found : `${found}\n${Said.information.moreSkills(hiddenSkills)}` })
}

const showPage: Run = (invocation) => {
  const asked = /^\d{1,6}$/.test(invocation.args.trim()) ? Number(invocation.args) : null
  const size = invocation.offer.platform === "telegram" ? telegramPageSize : pageSize
  const { lines, page, pages } = pageOf(invocation.entries(), size, asked ?? 1)
  return Effect.succeed({ text: [Said.information.page(page, pages, asked), ...lines].join("\n") })
}

const whoami: Run = (invocation) => {
  const { caller, row } = invocation
  const open = invocation.entries().map(({ name }) => `/${name}`)
  return Effect.succeed({
    text: Said.information.whoami({
      platform: row.event.source.platform,
      scope: caller.scope,
      userId: row.event.source.userId,
      tier: caller.tier,
      commands: caller.tier === "user" ? open.join(", ") || "none" : "all"
    })
  })
}

const profile: Run = Effect.fnUntraced(function* ({ caller, row }) {
  const { home } = yield* Settings
  const name = row.event.source.profile ?? (/[\\/]profiles[\\/][^\\/]+$/.test(home) ? basename(home) : "default")
  // In a group others read it too.
  return { text: Said.information.profile(name, caller.isConfiguredAdmin && caller.scope === "dm" ? home : null) }
})

const status: Run = Effect.fnUntraced(function* (invocation) {
  const { now, offer, session } = invocation
  const { queued, route, running } = session
  const summary = route === null ? null : yield* (yield* Sessions).summary(askerOf(invocation))
  const platforms = (yield* GatewayControls).get("platforms")?.() ?? []
  return {
    text: [
      `Conversation: ${route?.sessionId ?? "not begun"}`,
      ...(summary === null ? [] : Said.information.summary({ ...summary, agent: offer.agent.name })),
      running === null
        ? "Running: nothing"
        : `Running: yes, for ${Math.round(Duration.toSeconds(Duration.millis(now - running.takenAt)))} s`,
      `Waiting: ${queued}`,
      ...(platforms.length === 0
        ? []
        : [
            `Platforms: ${platforms.map(({ name, paused, status }) => `${name} ${paused === null ? status : "paused"}`).join(", ")}`
          ])
    ].join("\n")
  }
})

const usage: Run = Effect.fnUntraced(function* (invocation) {
  if (invocation.args.trim() !== "") return { text: Said.information.noReset }
  const summary = yield* (yield* Sessions).summary(askerOf(invocation))
  if (summary === null) return { text: Said.session.noSession }
  return { text: Said.information.usage(summary.messages, summary.lastPromptTokens) }
})

const common = {
  aliases: [],
  args: "",
  group: "Information and operation",
  owner: "gateway",
  policy: "now",
  class: "ordinary"
} as const

export const informationCommands: ReadonlyArray<CommandDef> = [
  { ...common, name: "help", args: "[skills, FILTER]", help: "Show what there is", run: showHelp },
  {
    ...common,
    name: "commands",
    args: "[page]",
    help: "Show all commands, page by page",
    surface: "chat",
    run: showPage
  },
  {
    ...common,
    name: "status",
    group: "Session",
    help: "Show this conversation",
    run: status
  },
  { ...common, name: "whoami", help: "Show who you are here and what you may do", run: whoami },
  {
    ...common,
    name: "usage",
    args: "[reset]",
    help: "Show what this conversation has used",
    owner: "both",
    policy: "no",
    run: usage
  },
  { ...common, name: "profile", help: "Show the profile of this gateway", run: profile },
  {
    ...common,
    name: "version",
    aliases: ["v"],
    help: "Show the version",
    run: () =>
      Effect.map(GatewayControls, (controls) => {
        const version = controls.get("version")
        return { text: version === null ? Said.dispatch.notHere("version") : Said.information.version(version) }
      })
  },
  {
    ...common,
    name: "bundles",
    group: "Tools and skills",
    help: "Show the installed skill bundles",
    policy: "no",
    run: () => Effect.succeed({ text: Said.skill.noBundles })
  },
  {
    ...common,
    name: "reload-skills",
    aliases: ["reload_skills"],
    group: "Tools and skills",
    help: "Read the skills folder anew",
    policy: "no",
    class: "configuration",
    run: () =>
      Effect.map(
        Effect.flatMap(Skills, ({ reload }) => reload),
        (change) => ({ text: Said.skill.reloaded(change) })
      )
  },
  {
    ...common,
    name: "start",
    group: "Session",
    help: "Say hello",
    surface: "chat",
    isHidden: true,
    // The greeting of a first contact is for whoever has no conversation yet; a platform's ping says nothing.
    run: ({ caller, session }) =>
      Effect.succeed({
        text: caller.scope === "dm" && session.route === null ? Said.information.started("Switchboard") : ""
      })
  }
]
