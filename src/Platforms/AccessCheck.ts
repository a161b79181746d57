/**
 * Before a platform is started: do its access settings let us (`access A1`–`A3`)? An open policy that nobody confirmed stops
 * the start of everything; an unknown one, or settings that do not decode, keep that platform down.
 */
import { Effect } from "effect"
import { Access } from "../Access/Access.ts"
import { type AccessRules, refusalsOf } from "../Access/AccessSettings.ts"
import { surprisesOf } from "../Access/Grants.ts"
import { ConfigError } from "../Config/ConfigError.ts"
import { AdapterError, type Registration } from "./Adapter.ts"

const letsNobodyIn = (rules: AccessRules): boolean =>
  !rules.allowAll &&
  !rules.gatewayAllowAll &&
  [
    rules.allowedUsers,
    rules.gatewayAllowedUsers,
    rules.groupUsers,
    rules.groupChats,
    rules.groupAllowedChats,
    rules.allowFrom,
    rules.groupAllowFrom
  ].every(({ size }) => size === 0) &&
  rules.groups.size === 0

/** Platforms whose senders we decide about ourselves; a link that authorises upstream has no rules of its own. */
const decided = (registrations: ReadonlyArray<Registration>) =>
  registrations.filter(({ authorizationIsUpstream }) => authorizationIsUpstream !== true)

/** Fails when nothing may be started; warns of what operators do not expect. */
export const beforeStart: (registrations: ReadonlyArray<Registration>) => Effect.Effect<void, ConfigError, Access> =
  Effect.fnUntraced(function* (registrations) {
    const access = yield* Access
    const all: Array<AccessRules> = []
    for (const { name } of decided(registrations)) {
      const rules = yield* Effect.orElseSucceed(access.rules(name), () => null)
      if (rules === null || rules.facts.isAuthenticated) continue
      all.push(rules)
      const fatal = refusalsOf(rules).filter(({ isFatal }) => isFatal)
      if (fatal.length > 0) {
        return yield* new ConfigError({
          problems: fatal.map(({ reason }) => ({
            level: "error",
            where: `platforms.${name}`,
            value: reason,
            expected: "a list of users, or an explicit allow-all",
            fix: `set ${rules.facts.prefix}_ALLOW_ALL_USERS=true if everybody may use the agent, else another policy`
          }))
        })
      }
      for (const note of surprisesOf(rules)) yield* Effect.logWarning(`access: ${note}`)
    }
    if (all.length > 0 && all.every(letsNobodyIn)) {
      yield* Effect.logWarning(
        "access: nobody is let in yet, unknown senders are refused; set for example TELEGRAM_ALLOWED_USERS, or " +
          "GATEWAY_ALLOW_ALL_USERS=true, or approve a pairing code"
      )
    }
  })

/** Fails while this platform may not run. */
export const mayRun = (registration: Registration): Effect.Effect<void, AdapterError, Access> =>
  registration.authorizationIsUpstream === true
    ? Effect.void
    : Effect.gen(function* () {
        const { name } = registration
        const refused = (message: string) =>
          new AdapterError({ platform: name, code: "access_policy", message, retryable: false })
        const access = yield* Access
        const rules = yield* Effect.mapError(access.rules(name), (error) => refused(error.message))
        const [refusal] = refusalsOf(rules)
        if (refusal !== undefined) return yield* refused(refusal.reason)
      })
