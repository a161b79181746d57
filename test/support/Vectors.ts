/**
 * The golden vectors: outputs of the reference, read from `SWITCHBOARD_GOLDEN` or the folder `../shared/golden` beside the
 * project; without that folder the small copies under `test/fixtures/golden`. Never written by tests.
 */
import { existsSync, readFileSync } from "node:fs"
import path from "node:path"

const root = path.dirname(path.dirname(import.meta.dirname))

export interface Vector<In, Out> {
  readonly name: string
  readonly in: In
  readonly out: Out
}

/** The cases of a topic; the types are the caller's claim about the file. */
export const vectors = <In, Out>(topic: string): ReadonlyArray<Vector<In, Out>> => {
  const folders = [
    process.env["SWITCHBOARD_GOLDEN"] ?? path.join(root, "../shared/golden"),
    path.join(root, "test/fixtures/golden")
  ]
  const folder = folders.find((candidate) => existsSync(path.join(candidate, `${topic}.json`)))
  if (folder === undefined) throw new Error(`no vectors for ${topic} in ${folders.join(" or ")}`)
  const file = JSON.parse(readFileSync(path.join(folder, `${topic}.json`), "utf8"))
  return file.cases
}
