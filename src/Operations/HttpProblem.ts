/**
 * Refusals of the JSON routes: one shape, which says what is wrong, whether anything was done, and what to do about it
 * (law 4). It never repeats what was sent.
 */
import { Schema } from "effect"
import { HttpServerResponse } from "effect/http"

/** `no`: surely nothing was stored or sent. `unknown`: it may have been; ask before repeating, or repeat with the same key. */
export const Happened = Schema.Literals(["no", "yes", "unknown"])
export type Happened = typeof Happened.Type

export interface Problem {
  readonly error: string
  readonly message: string
  readonly happened?: Happened
}

export const json = (status: number, body: object, headers: Readonly<Record<string, string>> = {}) =>
  HttpServerResponse.jsonUnsafe(body, {
    status,
    headers: { "cache-control": "no-store", "x-content-type-options": "nosniff", ...headers }
  })

export const problem = (status: number, { error, happened = "no", message }: Problem, headers = {}) =>
  json(status, { error, message, happened }, headers)
