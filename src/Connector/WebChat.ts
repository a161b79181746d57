/**
 * The web chat's routes on the gateway's one HTTP listener: the page at `/` behind the admin gate, its socket, and the
 * relay's socket for the gateway itself. Wiring only.
 */
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import { Effect, type FileSystem, type Layer, Option } from "effect"
import { HttpRouter, type HttpServerRequest, HttpServerResponse } from "effect/http"
import type { Socket } from "effect/socket"
import { AdminGate, guarded, pageHeaders } from "../Operations/AdminGate.ts"
import * as RequestOrigin from "../Operations/RequestOrigin.ts"
import * as Assets from "./Assets.ts"
import { ChatStore } from "./ChatStore.ts"
import * as GatewaySession from "./GatewaySession.ts"
import { LocalConnector } from "./LocalConnector.ts"
import * as PageSession from "./PageSession.ts"

type Request = HttpServerRequest.HttpServerRequest

const plain = (status: number, body: string) =>
  HttpServerResponse.text(`${body}\n`, { status, headers: { ...pageHeaders, "cache-control": "no-store" } })

const upgradeRequired = HttpServerResponse.setHeader(plain(426, "Upgrade Required"), "upgrade", "websocket")

const serveAsset = (asset: Assets.Asset | undefined, request: Request) => {
  if (asset === undefined) return plain(404, "Not Found")
  const headers = { ...pageHeaders, etag: asset.etag, "cache-control": "no-cache" }
  return request.headers["if-none-match"] === asset.etag
    ? HttpServerResponse.empty({ status: 304, headers })
    : HttpServerResponse.uint8Array(asset.body, { contentType: asset.contentType, headers })
}

/** The last part of a request's path, as it stands: what needs decoding names no asset. */
const assetName = (request: Request): string => request.url.replace(/[?#].*$/, "").slice("/assets/".length)

/**
 * Whether a connection was made on this machine: from loopback, or from the very address it was made to, as our own link
 * does where the listener is bound to one other address.
 */
export const isFromHere = (peer: string, own: string | undefined): boolean =>
  RequestOrigin.isLoopback(peer) || peer === own

const isLocalPeer = (request: Request): boolean =>
  Option.match(request.peerAddress, {
    onNone: () => true,
    onSome: (peer) => isFromHere(peer, NodeHttpServerRequest.toIncomingMessage(request).socket.localAddress)
  })

/** A connection that ends is no failure of the request; everything else is logged and closes it. */
const upgraded = <E, R>(request: Request, serve: (socket: Socket.Socket) => Effect.Effect<void, E, R>) =>
  Effect.flatMap(request.upgrade, serve).pipe(
    Effect.catch((error) =>
      hasTag(error, "SocketError") ? Effect.void : Effect.logWarning("a socket of the web chat failed", error)
    ),
    Effect.as(HttpServerResponse.empty())
  )

const hasTag = (error: unknown, tag: string): boolean =>
  typeof error === "object" && error !== null && "_tag" in error && error._tag === tag

/**
 * `GET /`, `/assets/*`, `/chat/socket`, `/relay`. `folder`: where the page's files are, if not where the build puts them.
 * Fails when they are missing.
 */
export const layer = (
  options: { readonly folder?: string } = {}
): Layer.Layer<
  never,
  Assets.AssetsMissing,
  HttpRouter.HttpRouter | AdminGate | LocalConnector | ChatStore | FileSystem.FileSystem
> =>
  HttpRouter.use((router) =>
    Effect.gen(function* () {
      const assets = yield* Assets.load(options.folder)
      const gate = yield* AdminGate
      const connector = yield* LocalConnector
      const store = yield* ChatStore

      yield* router.add(
        "GET",
        "/",
        guarded(gate, (request) => Effect.succeed(serveAsset(assets.get(Assets.page), request)))
      )
      yield* router.add(
        "GET",
        "/assets/*",
        guarded(gate, (request) => Effect.succeed(serveAsset(assets.get(assetName(request)), request)))
      )
      yield* router.add(
        "GET",
        "/chat/socket",
        guarded(gate, (request) =>
          RequestOrigin.isUpgrade(request)
            ? upgraded(request, PageSession.serve).pipe(
                Effect.provideService(LocalConnector, connector),
                Effect.provideService(ChatStore, store)
              )
            : Effect.succeed(upgradeRequired)
        )
      )
      yield* router.add("GET", "/relay", (request) =>
        Effect.gen(function* () {
          if (!isLocalPeer(request)) return plain(403, "Forbidden")
          if (!(yield* connector.authorize(request.headers["authorization"]))) return plain(401, "Unauthorized")
          if (!RequestOrigin.isUpgrade(request)) return upgradeRequired
          return yield* upgraded(request, GatewaySession.serve).pipe(Effect.provideService(LocalConnector, connector))
        })
      )
    })
  )

/** The routes with the page's files where the build puts them. */
export const routes = layer()
