/**
 * The folder everything of one gateway lives in (`operations N1`, `N2`): its names, made once, private to its owner.
 * It never widens rights and never touches what others put there.
 */
import { chmodSync, mkdirSync, statSync } from "node:fs"
import { join } from "node:path"
import { Context, Effect, Layer, Schema } from "effect"
import { Settings } from "../Config/Settings.ts"

/** The home cannot be made or is not ours: nothing can be started there (exit 78). */
export class HomeError extends Schema.TaggedError<HomeError>()("HomeError", {
  path: Schema.String,
  /** `create`: missing and could not be made. `rights`: readable by others and that could not be changed. */
  reason: Schema.Literals(["create", "rights"]),
  detail: Schema.String
}) {
  readonly exitCode = 78
  override get message(): string {
    const what = this.reason === "create" ? "cannot be created" : "is open to others and cannot be made private"
    return `${this.path} ${what}: ${this.detail}; check its owner, or set SWITCHBOARD_HOME to a folder of yours`
  }
}

/** `operations N2`. */
export interface HomePaths {
  readonly root: string
  readonly config: string
  readonly env: string
  readonly database: string
  readonly lock: string
  readonly pid: string
  readonly state: string
  readonly starts: string
  readonly takeover: string
  readonly plannedStop: string
  readonly drainRequest: string
  readonly cache: string
  readonly hooks: string
  readonly logs: string
  readonly platforms: string
  readonly plugins: string
  readonly profiles: string
  readonly heartbeat: string
}

export const paths = (root: string): HomePaths => ({
  root,
  config: join(root, "config.yaml"),
  env: join(root, ".env"),
  database: join(root, "switchboard.db"),
  lock: join(root, "gateway.lock"),
  pid: join(root, "gateway.pid"),
  state: join(root, "gateway_state.json"),
  starts: join(root, "gateway-starts.log"),
  takeover: join(root, ".gateway-takeover.json"),
  plannedStop: join(root, ".gateway-planned-stop.json"),
  drainRequest: join(root, ".drain_request.json"),
  cache: join(root, "cache"),
  hooks: join(root, "hooks"),
  logs: join(root, "logs"),
  platforms: join(root, "platforms"),
  plugins: join(root, "plugins"),
  profiles: join(root, "profiles"),
  heartbeat: join(root, "state", "gateway.heartbeat")
})

const describe = (error: unknown) => (error instanceof Error ? error.message : String(error))

/** Takes the rights of others away; gives none. Nothing happens when the path does not exist. */
const makePrivate = (path: string, mode: number) =>
  Effect.try({
    try: () => {
      const found = statSync(path, { throwIfNoEntry: false })
      if (found !== undefined && (found.mode & 0o777 & ~mode) !== 0) chmodSync(path, found.mode & mode)
    },
    catch: (error) => new HomeError({ path, reason: "rights", detail: describe(error) })
  })

const makeFolder = (path: string) =>
  Effect.try({
    try: () => mkdirSync(path, { recursive: true, mode: 0o700 }),
    catch: (error) => new HomeError({ path, reason: "create", detail: describe(error) })
  })

/** Makes the home and the folders we write to (0700), and closes what must be private (0600). */
export const prepare = Effect.fnUntraced(function* (root: string) {
  const home = paths(root)
  for (const folder of [home.root, home.cache, home.logs, join(root, "state")]) {
    yield* makeFolder(folder)
    yield* makePrivate(folder, 0o700)
  }
  for (const file of [home.env, home.database, `${home.database}-wal`, `${home.database}-shm`, home.state]) {
    yield* makePrivate(file, 0o600)
  }
  return home
})

export class Home extends Context.Service<Home, HomePaths>()("Operations/Home") {
  static readonly layer: Layer.Layer<Home, HomeError, Settings> = Layer.effect(
    Home,
    Effect.flatMap(Settings, (settings) => prepare(settings.home))
  )
}
