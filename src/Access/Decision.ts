/**
 * May this sender speak? A pure function of the source, what our intake found out about it, the rules and the pairings
 * (`access D1`–`D3`): the first rule that matches decides, top to bottom. Default: deny. Nothing is read while deciding.
 */
import type { Provenance, Source } from "../Message/Source.ts"
import type { AliasLookup } from "../Message/WhatsAppIdentity.ts"
import type { AccessRules } from "./AccessSettings.ts"
import { identitiesOf, principalOf } from "./Identity.ts"
import { scopeOf } from "./Platforms.ts"

export interface Decision {
  readonly allow: boolean
  /** Number of the rule in `access D1`, D2, D4; `error` = it could not be decided, and nobody is let in (G-2). */
  readonly rule: string
}

/** Who was paired, by their one spelling (`Identity.principalOf`). */
export type Paired = (principal: string) => boolean

export interface Subject {
  readonly source: Source
  readonly provenance: Provenance
  readonly rules: AccessRules
  /** `null` = the store cannot be read: nobody counts as paired, and what nothing else admits is undecided. */
  readonly paired: Paired | null
  readonly aliases: AliasLookup
  /** This process serves the profile that the source is stamped with (`access D4`). */
  readonly isServed: boolean
}

/** Where an answer comes from: settings by their name in `PlatformSettings`, or the pairing store. */
export type Ground =
  | "allowedUsers"
  | "gatewayAllowedUsers"
  | "groupUsers"
  | "groupChats"
  | "groupAllowedChats"
  | "allowAll"
  | "gatewayAllowAll"
  | "allowBots"
  | "allowFrom"
  | "groupAllowFrom"
  | "dmPolicy"
  | "groupPolicy"
  | "groups"
  | "pairing"

/** One rule as it was tried. */
export interface Step {
  readonly rule: string
  readonly outcome: "allow" | "deny" | "pass"
  readonly why: string
  readonly grounds: ReadonlyArray<Ground>
}

interface Facts extends Subject {
  readonly userId: string
  readonly isDirect: boolean
  /** `group` or `forum`. */
  readonly isGroup: boolean
  /** `group`, `forum` or `channel`. */
  readonly isRoom: boolean
  readonly identities: () => ReadonlyArray<string>
}

interface Verdict {
  readonly allow: boolean
  readonly why: string
  readonly grounds?: ReadonlyArray<Ground>
}

/** A verdict, or why the rule does not say anything. */
type Rule = readonly [rule: string, judge: (facts: Facts) => Verdict | string]

const admit = (why: string, ...grounds: ReadonlyArray<Ground>): Verdict => ({ allow: true, why, grounds })
const refuse = (why: string, ...grounds: ReadonlyArray<Ground>): Verdict => ({ allow: false, why, grounds })

const names = (list: ReadonlySet<string>, ids: ReadonlyArray<string>): boolean =>
  list.size > 0 && (list.has("*") || ids.some((id) => list.has(id)))

const listsChat = (list: ReadonlySet<string>, { source }: Facts): boolean =>
  source.chatId !== "" && list.size > 0 && (list.has("*") || list.has(source.chatId))

/** Entries of the users' list that are really groups (`access D1`, rule 11: the old meaning). */
export const misplacedGroups = ({ groupUsers, platform }: AccessRules): ReadonlyArray<string> =>
  platform === "telegram" ? [...groupUsers].filter((entry) => entry.startsWith("-")) : []

/** No environment list applies to this chat (rule 9). */
const isUnlisted = ({ isGroup, rules }: Facts): boolean =>
  rules.allowedUsers.size === 0 &&
  rules.gatewayAllowedUsers.size === 0 &&
  (!isGroup || (rules.groupUsers.size === 0 && rules.groupChats.size === 0))

/** `groups.<id>`: exactly, then in any case, then `groups.*`. */
const groupEntry = ({ rules, source }: Facts): ReadonlySet<string> | undefined => {
  const exact = rules.groups.get(source.chatId)
  if (exact !== undefined) return exact
  const wanted = source.chatId.toLowerCase()
  for (const [id, list] of rules.groups) if (id !== "*" && id.toLowerCase() === wanted) return list
  return rules.groups.get("*")
}

const ownPolicy: Rule = [
  "D2a",
  (facts) => {
    const { identities, isDirect, rules } = facts
    if (!rules.facts.ownsPolicy) return "the adapter has no policy of its own"
    if (isDirect) {
      if (rules.dmPolicy !== "allowlist") return "dm_policy is not allowlist and proves nothing"
      return names(rules.allowFrom, identities())
        ? admit("dm_policy is allowlist and allow_from names the sender", "dmPolicy", "allowFrom")
        : "dm_policy is allowlist, but allow_from does not name the sender"
    }
    const entry = groupEntry(facts)
    if (entry !== undefined && entry.size > 0) {
      return names(entry, identities())
        ? admit("the group's own allow_from names the sender", "groups")
        : "the group's own allow_from does not name the sender"
    }
    if (rules.groupPolicy !== "allowlist") return "group_policy is not allowlist and proves nothing"
    return listsChat(rules.groupAllowFrom, facts) || names(rules.groupAllowFrom, identities())
      ? admit("group_policy is allowlist and group_allow_from names the group", "groupPolicy", "groupAllowFrom")
      : "group_policy is allowlist, but group_allow_from does not name the group"
  }
]

const fileLists: Rule = [
  "D2b",
  ({ identities, isDirect, isRoom, rules }) => {
    if (rules.facts.ownsPolicy) return "the adapter's own policy counts instead of the file's lists"
    if (isDirect && names(rules.allowFrom, identities())) return admit("allow_from names the sender", "allowFrom")
    if (isRoom && names(rules.groupAllowFrom, identities())) {
      return admit("group_allow_from names the sender", "groupAllowFrom")
    }
    return "no list of the file names the sender"
  }
]

const unlisted: ReadonlyArray<Rule> = [
  ownPolicy,
  fileLists,
  [
    "D2c",
    ({ rules }) =>
      rules.gatewayAllowAll ? admit("everybody may speak", "gatewayAllowAll") : "GATEWAY_ALLOW_ALL_USERS is not set"
  ],
  ["D2d", () => refuse("nothing admits the sender")]
]

const listed: ReadonlyArray<Rule> = [
  [
    "10",
    (facts) =>
      facts.isGroup && listsChat(facts.rules.groupChats, facts)
        ? admit("the list of groups names this one", "groupChats")
        : "no list names the group"
  ],
  [
    "11",
    (facts) =>
      facts.isGroup && facts.source.chatId.startsWith("-") && misplacedGroups(facts.rules).includes(facts.source.chatId)
        ? admit("a list of users names this group: move it to TELEGRAM_GROUP_ALLOWED_CHATS", "groupUsers")
        : "the list of group users names no group such as this"
  ],
  [
    "12",
    ({ identities, isGroup, rules }) => {
      const ids = identities()
      const grounds: Array<Ground> = []
      if (names(rules.allowedUsers, ids)) grounds.push("allowedUsers")
      if (names(rules.gatewayAllowedUsers, ids)) grounds.push("gatewayAllowedUsers")
      if (isGroup && names(rules.groupUsers, ids)) grounds.push("groupUsers")
      return grounds.length > 0 ? admit("a list of users names the sender", ...grounds) : "no list names the sender"
    }
  ],
  [
    "13",
    ({ rules }) =>
      refuse(
        rules.gatewayAllowAll
          ? "lists are set, so allow-all does not count"
          : "lists are set, and none names the sender"
      )
  ]
]

const common: ReadonlyArray<Rule> = [
  [
    "1",
    ({ rules }) =>
      rules.facts.isAuthenticated ? admit("its adapter authenticates every request") : "no rule of this platform"
  ],
  [
    "2",
    ({ provenance }) =>
      provenance.viaRelay ? admit("it came over the authenticated relay") : "it did not come over the relay"
  ],
  ["D4", ({ isServed }) => (isServed ? "the profile is served here" : refuse("its profile is not served here"))],
  [
    "3",
    (facts) => {
      if (!facts.isRoom) return "this is no group"
      if (listsChat(facts.rules.groupChats, facts)) return admit("the list of groups names this one", "groupChats")
      return listsChat(facts.rules.groupAllowedChats, facts)
        ? admit("group_allowed_chats names this group", "groupAllowedChats")
        : "no list names the group"
    }
  ],
  [
    "4",
    ({ provenance, rules }) => {
      if (provenance.isBot !== true) return "the sender is not known to be a bot"
      return rules.facts.admitsBots && rules.allowBots !== "none"
        ? admit("bots are let in", "allowBots")
        : "bots are not let in as such"
    }
  ],
  ["5", ({ userId }) => (userId === "" ? refuse("the sender has no id") : "the sender has an id")],
  [
    "6",
    ({ rules }) =>
      rules.allowAll
        ? admit("everybody may speak on this platform", "allowAll")
        : "allow-all of the platform is not set"
  ],
  [
    "7",
    ({ provenance }) =>
      provenance.roleAuthorized ? admit("the adapter verified a role of the sender") : "no role was verified"
  ],
  [
    "8",
    ({ aliases, paired, rules, userId }) => {
      if (paired === null) return "the pairings cannot be read"
      return paired(principalOf(rules.platform, userId, aliases))
        ? admit("the sender was paired", "pairing")
        : "the sender was not paired"
    }
  ]
]

const factsAbout = (subject: Subject): Facts => {
  const { aliases, rules, source } = subject
  const type = source.chatType.trim().toLowerCase()
  const isGroup = type === "group" || type === "forum"
  let identities: ReadonlyArray<string> | null = null
  return {
    ...subject,
    userId: source.userId?.trim() ?? "",
    isDirect: scopeOf(source.chatType) === "dm",
    isGroup,
    isRoom: isGroup || type === "channel",
    identities: () => (identities ??= identitiesOf(rules.platform, source.userId, aliases))
  }
}

const rulesFor = (facts: Facts): ReadonlyArray<Rule> => (isUnlisted(facts) ? unlisted : listed)

/** A refusal that an unreadable pairing store may have caused is an error, not an answer (`access G-2`). */
const settled = (facts: Facts, rule: string, allow: boolean): Decision =>
  allow || facts.paired !== null || rule === "5" || rule === "D4" ? { allow, rule } : { allow: false, rule: "error" }

export const decide = (subject: Subject): Decision => {
  // The relay's connector has decided: by far the most frequent case, and nothing else matters to it.
  if (subject.provenance.viaRelay && !subject.rules.facts.isAuthenticated) return { allow: true, rule: "2" }
  const facts = factsAbout(subject)
  for (const rules of [common, rulesFor(facts)]) {
    for (const [rule, judge] of rules) {
      const verdict = judge(facts)
      if (typeof verdict !== "string") return settled(facts, rule, verdict.allow)
    }
  }
  return { allow: false, rule: "13" }
}

/** Every rule that was tried, in order, the deciding one last (`access R4`). */
export const explain = (subject: Subject): ReadonlyArray<Step> => {
  const facts = factsAbout(subject)
  const steps: Array<Step> = []
  const nine: Rule = [
    "9",
    () => (isUnlisted(facts) ? "no variable lists users: the file's lists and allow-all count" : "variables list users")
  ]
  for (const [rule, judge] of [...common, nine, ...rulesFor(facts)]) {
    const verdict = judge(facts)
    if (typeof verdict === "string") {
      steps.push({ rule, outcome: "pass", why: verdict, grounds: [] })
      continue
    }
    const outcome = verdict.allow ? "allow" : "deny"
    const isSettled = settled(facts, rule, verdict.allow).rule === rule
    steps.push({
      rule: isSettled ? rule : "error",
      outcome,
      why: isSettled ? verdict.why : "the pairings cannot be read, so nothing was decided",
      grounds: verdict.grounds ?? []
    })
    break
  }
  return steps
}
