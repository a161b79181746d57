/** The line below an answer that says which model gave it, how full its context is, and where it works (`delivery G1`, G2). Pure. */
import path from "node:path"
import { fieldsOf } from "./DisplaySettings.ts"

export interface FooterFacts {
  readonly model: string | null
  readonly contextTokens: number | null
  readonly contextWindow: number | null
  /** Where the agent works; `null` or `""` = not told. */
  readonly cwd: string | null
  /** Shown as `~`. */
  readonly userHome: string
}

/** Half to even, as the reference rounds. */
const rounded = (value: number): number => {
  const floor = Math.floor(value)
  const rest = value - floor
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor
}

const percent = ({ contextTokens, contextWindow }: FooterFacts): string =>
  contextTokens === null || contextTokens < 0 || contextWindow === null || contextWindow <= 0
    ? ""
    : `${Math.min(100, Math.max(0, rounded((100 * contextTokens) / contextWindow)))}%`

const place = ({ cwd, userHome }: FooterFacts): string => {
  if (cwd === null || cwd === "") return ""
  const full = path.resolve(cwd)
  return full === userHome ? "~" : full.startsWith(`${userHome}/`) ? `~${full.slice(userHome.length)}` : full
}

/** `""` = none. Unknown fields are left out, and so are facts that nobody told. */
export const footer = (display: unknown, platform: string, facts: FooterFacts): string => {
  const { enabled, fields } = fieldsOf(display, platform)
  if (!enabled) return ""
  return fields
    .map((field) => {
      switch (field) {
        case "model":
          return facts.model?.split("/").at(-1) ?? ""
        case "context_pct":
          return percent(facts)
        case "cwd":
          return place(facts)
        default:
          return ""
      }
    })
    .filter((part) => part !== "")
    .join(" · ")
}
