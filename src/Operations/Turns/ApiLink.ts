/**
 * The link of messages that came by `POST /v1/messages`: nobody is called, whoever asked reads the answer from its turn. So
 * the answer has arrived when it is stored, and a send is confirmed at once.
 */
import { Effect, Layer } from "effect"
import type { Outlet } from "../../Delivery/Outlet.ts"
import { SendQueues } from "../../Delivery/SendQueues.ts"

export const apiPlatform = "api_server"
export const apiLink = "api_server:"

const outlet: Outlet = {
  link: apiLink,
  isUp: () => true,
  awaitUp: Effect.void,
  capabilities: () => ({
    maxLength: 1_000_000,
    lengthUnit: "utf16",
    dialect: "markdown",
    edit: false,
    typing: false,
    streaming: false,
    settle: "key"
  }),
  settle: () => "key",
  // The key names the same row for ever: repeating this send shows nothing twice.
  send: ({ key }) => Effect.succeed({ messageId: key }),
  edit: () => Effect.void,
  typing: () => Effect.void
}

export const layer = Layer.effectDiscard(Effect.flatMap(SendQueues, ({ serve }) => serve(outlet)))
