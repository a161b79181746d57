/**
 * Puts the web chat's files that no compiler makes beside its compiled modules: page, style, icon, and the browser build
 * of markdown-it. The folder is `dist/Connector/web`, or the one named as argument.
 */
import { copyFileSync, mkdirSync } from "node:fs"
import path from "node:path"
import { fileURLToPath } from "node:url"

const root = path.dirname(import.meta.dirname)
const source = path.join(root, "src/Connector/web")
const target = path.resolve(process.argv[2] ?? path.join(root, "dist/Connector/web"))

const files: ReadonlyArray<readonly [from: string, name: string]> = [
  ...["index.html", "chat.css", "icon.svg"].map((name) => [path.join(source, name), name] as const),
  [fileURLToPath(import.meta.resolve("markdown-it/browser")), "markdown-it.mjs"]
]

mkdirSync(target, { recursive: true })
for (const [from, name] of files) copyFileSync(from, path.join(target, name))
