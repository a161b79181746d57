/**
 * The set of platforms (`operations T1`): registrations by name. Built-in and third-party adapters have the same form; the
 * last registration of a name wins. It makes nothing: the supervisor does.
 */
import { Context, Layer } from "effect"
import type { Registration } from "./Adapter.ts"

export class Registry extends Context.Service<
  Registry,
  {
    readonly registrations: ReadonlyArray<Registration>
  }
>()("Platforms/Registry") {
  static layer(registrations: ReadonlyArray<Registration>): Layer.Layer<Registry> {
    const byName = new Map(registrations.map((registration) => [registration.name, registration]))
    return Layer.succeed(Registry, { registrations: [...byName.values()] })
  }
}
