/** Preloaded into a Node process: `switchboard` means this checkout's sources, as after a build it means `dist`. */
import { registerHooks } from "node:module"

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === "switchboard"
      ? { url: new URL("../../src/index.ts", import.meta.url).href, shortCircuit: true }
      : next(specifier, context)
})
