import { Context, Effect, Layer } from "effect"
import { Settings } from "../Config/Settings.ts"
export class Home extends Context.Service<Home, { readonly database: string }>()("Operations/Home") {
  static readonly layer = Layer.effect(Home, Effect.map(Settings, (s) => ({ database: s.home + "/switchboard.db" })))
}
