/** Judges a gateway: starts what a check needs, runs the groups beside each other, and gives the verdicts in a fixed order. */
import { Effect } from "effect"
import { judge, type Verdict } from "./Check.ts"
import { groups } from "./GatewayLifeChecks.ts"
import { type GatewayOptions, make } from "./GatewayStage.ts"

export interface Selection {
  /** Names of checks; absent = all. */
  readonly only?: ReadonlyArray<string>
  /** Also those that wait as long as the contract does. */
  readonly slow: boolean
  readonly onVerdict?: (verdict: Verdict) => void
}

/** Most processes of the gateway at once. */
const atOnce = 4

export const names: ReadonlyArray<string> = groups.flatMap(({ checks }) => checks.map(({ name }) => name))

export const run = (options: GatewayOptions, selection: Selection): Effect.Effect<ReadonlyArray<Verdict>> =>
  Effect.forEach(
    groups.map((group) => ({
      ...group,
      checks: group.checks.filter(({ name }) => selection.only?.includes(name) ?? true)
    })),
    ({ checks, isSlow, stage }) => {
      if (checks.length === 0) return Effect.succeed([])
      const tell = (verdict: Verdict) =>
        Effect.sync(() => {
          selection.onVerdict?.(verdict)
          return verdict
        })
      if (isSlow && !selection.slow && selection.only === undefined) {
        return Effect.forEach(checks, ({ about, name, statement }) =>
          tell({ statement, name, about, outcome: "skipped", detail: "it takes half a minute (left out by --fast)" })
        )
      }
      return Effect.scoped(
        Effect.flatMap(make(options, stage), (made) =>
          Effect.forEach(checks, (check) => Effect.flatMap(judge(check, made), tell))
        )
      )
    },
    { concurrency: atOnce }
  ).pipe(Effect.map((verdicts) => verdicts.flat()))
