/**
 * Where a tool may speak: chats in which somebody has spoken to this gateway who may still do so today (`access D1`), over a
 * link that runs. It never opens a chat that access would refuse, and knows no other.
 */
import { Context, Effect, Layer } from "effect"
import type { SqlError } from "effect/sql"
import { Access } from "../../Access/Access.ts"
import type { Outlet, Target } from "../../Delivery/Outlet.ts"
import { targetOf } from "../../Delivery/Reply.ts"
import { SendQueues } from "../../Delivery/SendQueues.ts"
import * as Targets from "../../Delivery/Targets.ts"
import type { Source } from "../../Message/Source.ts"
import { apiLink, apiPlatform } from "../Turns/ApiLink.ts"
import { KnownChats } from "../../Storage/KnownChats.ts"
import type { Route } from "../../Storage/Routes.ts"

/** How a link is addressed. */
export interface LinkName {
  readonly platform: string
  readonly link: string
}

export interface Place {
  readonly name: string
  readonly route: Route
  readonly link: string
  readonly target: Target
  /** `null`: its link does not run. */
  readonly outlet: Outlet | null
}

/** Routes that are looked through at most. */
const lookedAt = 500

export const nameOf = ({ chatId, platform, threadId }: Source): string =>
  Targets.format({ platform, chatId, threadId, isExplicit: true, isOrigin: false })

/** Every way to read `PLATFORM:CHAT[:THREAD]`: ids of some platforms hold colons themselves. */
export const readings = (
  name: string
): ReadonlyArray<{ readonly platform: string; readonly chatId: string; readonly threadId: string | null }> => {
  const [platform = "", ...parts] = name.trim().split(":")
  return parts.slice(0, 8).map((_, i) => ({
    platform: platform.toLowerCase(),
    chatId: parts.slice(0, parts.length - i).join(":"),
    threadId: i === 0 ? null : parts.slice(parts.length - i).join(":")
  }))
}

export class Reach extends Context.Service<
  Reach,
  {
    readonly places: (limit: number) => Effect.Effect<ReadonlyArray<Place>, SqlError.SqlError>
    /** `null`: it is no chat that we know, or one that access refuses. */
    readonly find: (name: string) => Effect.Effect<Place | null, SqlError.SqlError>
    readonly ofSession: (sessionKey: string) => Effect.Effect<Place | null, SqlError.SqlError>
  }
>()("Operations/Mcp/Reach") {
  static readonly layer = (links: ReadonlyArray<LinkName>) =>
    Layer.effect(
      Reach,
      Effect.gen(function* () {
        const access = yield* Access
        const queues = yield* SendQueues
        const chats = yield* KnownChats

        /** Who speaks over the relay was let in by its connector, as far as our own rules leave that to it. */
        const placeOf = (route: Route): Effect.Effect<Place | null> => {
          const isApi = route.source.platform === apiPlatform
          const link = isApi ? apiLink : links.find(({ platform }) => platform === route.source.platform)?.link
          if (link === undefined) return Effect.succeed(null)
          const provenance = { viaRelay: link.startsWith("relay:"), isBot: null, roleAuthorized: false }
          return Effect.map(access.decide(route.source, provenance), ({ allow }) =>
            allow
              ? {
                  name: nameOf(route.source),
                  route,
                  link,
                  target: targetOf(route.source),
                  // Nobody looks there but for the answer to what was asked.
                  outlet: isApi ? null : queues.outlet(link)
                }
              : null
          )
        }
        const first = (routes: ReadonlyArray<Route>) =>
          Effect.map(Effect.forEach(routes, placeOf), (places) => places.find((place) => place !== null) ?? null)

        return {
          places: Effect.fnUntraced(function* (limit) {
            const found = new Map<string, Place>()
            for (const route of yield* chats.recent(lookedAt)) {
              if (found.size >= limit) break
              if (route.source.platform === apiPlatform) continue
              const place = yield* placeOf(route)
              if (place !== null && !found.has(place.name)) found.set(place.name, place)
            }
            return [...found.values()]
          }),
          find: Effect.fnUntraced(function* (name) {
            for (const { chatId, platform, threadId } of readings(name)) {
              const routes = yield* chats.of(platform, chatId, lookedAt)
              const place = yield* first(routes.filter(({ source }) => source.threadId === threadId))
              if (place !== null) return place
            }
            return null
          }),
          ofSession: (sessionKey) =>
            Effect.flatMap(chats.route(sessionKey), (route) => (route === null ? Effect.succeed(null) : placeOf(route)))
        }
      })
    ).pipe(Layer.provide(KnownChats.layer))
}
