/**
 * Builds `dist/` when it is missing or older than what it is made from; npm calls it after install, before start and test.
 * It never builds twice for one state of the sources, and never marks a failed build as good. After an install it only
 * says that the build failed (an install of packages has not), before start and test it fails.
 */
import { spawnSync } from "node:child_process"
import { existsSync, readdirSync, statSync, utimesSync, writeFileSync } from "node:fs"
import path from "node:path"

const installing = process.env["npm_lifecycle_event"] === "prepare"
const root = path.dirname(import.meta.dirname)
const stamp = path.join(root, "dist/.built")
const program = path.join(root, "dist/Main.js")

/** Milliseconds of the last change to a file, or to anything below a folder; removing a file touches its folder. */
const changedAt = (place: string): number => {
  const stat = statSync(place)
  if (!stat.isDirectory()) return stat.mtimeMs
  return Math.max(stat.mtimeMs, ...readdirSync(place).map((name) => changedAt(path.join(place, name))))
}

const sources = ["src", "scripts", "package.json", "package-lock.json", "tsconfig.json", "tsconfig.build.json"]
const lastChange = Math.max(
  ...sources
    .map((name) => path.join(root, name))
    .filter(existsSync)
    .map(changedAt)
)

if (existsSync(program) && existsSync(stamp) && statSync(stamp).mtimeMs >= lastChange) {
  process.exitCode = 0
} else if (!existsSync(path.join(root, "node_modules/typescript"))) {
  // Installed without development packages: a dist/ that was brought along is what runs.
  const ready = existsSync(program)
  if (!ready)
    console.error(
      "dist/ is missing and cannot be built without the development packages: run npm ci, then npm run build"
    )
  process.exitCode = ready || installing ? 0 : 1
} else {
  const start = new Date()
  const built = spawnSync("npm", ["run", "--silent", "build"], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
    shell: process.platform === "win32"
  })
  if (built.status === 0 && existsSync(program)) {
    writeFileSync(stamp, "")
    utimesSync(stamp, start, start)
  } else {
    console.error("dist/ could not be built")
    process.exitCode = installing ? 0 : 1
  }
}
