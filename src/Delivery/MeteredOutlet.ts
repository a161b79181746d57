/**
 * An outlet for whoever sends beside the Outbox, previews and typing: what goes through it leaves at once and within the
 * bot's budget, or not at all (law 9). A pause that the platform asks of it counts for everybody.
 */
import { Effect } from "effect"
import type { SendError } from "../Message/SendError.ts"
import type { Outlet, Target } from "./Outlet.ts"
import type { SendBudget } from "./SendBudget.ts"

export const make = (outlet: Outlet, budget: SendBudget): Outlet => {
  const spare = <A>(target: Target, send: Effect.Effect<A, SendError>): Effect.Effect<A, SendError> =>
    budget.spare(
      target,
      Effect.tapError(send, (error) =>
        Effect.sync(() => {
          if (error.kind === "rate_limited") budget.slowed(target, error.retryAfter ?? null)
        })
      )
    )
  return {
    ...outlet,
    send: (request) => spare(request.target, outlet.send(request)),
    edit: (request) => spare(request.target, outlet.edit(request)),
    typing: (target) => spare(target, outlet.typing(target))
  }
}
