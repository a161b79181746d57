/**
 * `npm run golden -- DIR`: runs every vector file of a folder (default `../shared/golden` beside the project, else the small
 * copies of the tests). Exit 1 when a case fails, 2 when there is nothing to run.
 */
import { existsSync, statSync } from "node:fs"
import path from "node:path"
import { describe, runFolder } from "./golden/Runner.ts"
import { topics } from "./golden/Topics.ts"

const root = path.dirname(import.meta.dirname)
const usual = [path.join(root, "../shared/golden"), path.join(root, "test/fixtures/golden")]
const named = process.argv[2]
const folder = named === undefined ? usual.find((candidate) => existsSync(candidate)) : path.resolve(named)

const reports =
  folder !== undefined && statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true
    ? runFolder(folder, topics)
    : []
if (reports.length === 0) {
  console.log(`no vector files in ${folder ?? usual.join(" or ")}`)
  process.exitCode = 2
} else {
  console.log(`${folder}\n`)
  for (const line of describe(reports)) console.log(line)
  const failed = reports.reduce((sum, { failures }) => sum + failures.length, 0)
  const missing = reports.filter(({ implemented }) => !implemented).length
  console.log(`\n${failed} failed${missing === 0 ? "" : `, ${missing} topics not implemented`}`)
  process.exitCode = failed > 0 ? 1 : 0
}
