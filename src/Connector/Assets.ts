/**
 * The files of the page, read once into memory: a request can only name what is in this table, so no path of the disk is
 * ever made from it.
 */
import { createHash } from "node:crypto"
import { existsSync } from "node:fs"
import path from "node:path"
import { Effect, FileSystem, Schema } from "effect"

export class AssetsMissing extends Schema.TaggedError<AssetsMissing>()("AssetsMissing", { folder: Schema.String }) {
  override get message(): string {
    return `the web chat's files are not in ${this.folder}: run npm run build`
  }
}

export interface Asset {
  readonly body: Uint8Array
  readonly contentType: string
  readonly etag: string
}

const contentTypes: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml"
}

export const page = "index.html"
const script = "Page.js"

/** Beside this file in `dist`; a program that runs from `src` uses what was built. */
const defaultFolder = (): string => {
  const beside = path.join(import.meta.dirname, "web")
  return existsSync(path.join(beside, script)) ? beside : path.join(import.meta.dirname, "../../dist/Connector/web")
}

export const load = Effect.fnUntraced(function* (
  folder: string = defaultFolder()
): Effect.fn.Return<ReadonlyMap<string, Asset>, AssetsMissing, FileSystem.FileSystem> {
  const files = yield* FileSystem.FileSystem
  const missing = () => new AssetsMissing({ folder })
  const assets = new Map<string, Asset>()
  for (const name of yield* Effect.mapError(files.readDirectory(folder), missing)) {
    const contentType = contentTypes[path.extname(name)]
    if (contentType === undefined) continue
    const body = yield* Effect.mapError(files.readFile(path.join(folder, name)), missing)
    assets.set(name, {
      body,
      contentType,
      etag: `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`
    })
  }
  return assets.has(page) && assets.has(script) ? assets : yield* missing()
})
