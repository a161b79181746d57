/**
 * The layout check: which room a file lives in, what it may import, how long it may be, how it begins, what it is called.
 * `layoutProblems` is pure over file texts; run as a script it reads the tree. It judges layout only, never the code.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import path from "node:path"
import { pathToFileURL } from "node:url"

/** Floors of `src/`, lowest first; a file imports only from its own floor or below. */
const floors: ReadonlyArray<ReadonlyArray<string>> = [
  ["Message", "Storage", "Config"],
  ["Session", "Access", "Delivery"],
  ["Platforms", "Relay", "Agent"],
  ["Conversation"],
  ["Operations", "Connector"],
  ["Main.ts", "Gateway.ts", "index.ts", "Cli"]
]
const floorOf: ReadonlyMap<string, number> = new Map(
  floors.flatMap((rooms, index) => rooms.map((room) => [room, index + 1] as const))
)

export const maximumLines = 500
const emptyNames: ReadonlySet<string> = new Set(["util", "utils", "helper", "helpers", "misc", "manager", "managers"])

export interface SourceFile {
  /** Relative to the project, with forward slashes: `src/Session/Key.ts`. */
  readonly path: string
  readonly text: string
}

export interface Problem {
  readonly path: string
  readonly line: number
  readonly message: string
}

interface Import {
  readonly from: string
  /** The imported file, relative to the project. */
  readonly to: string
  readonly specifier: string
  readonly line: number
}

/** Static imports and re-exports begin a line (the formatter sees to it); `import("…")` may stand anywhere in code. */
const statement =
  /^(?:import\s+(?:type\s+)?|export\s+(?:type\s+)?(?=[{*]))[^"'`;=()]*?(?:\bfrom\s*)?["']([^"'\n]+)["']/gm
const call = /\bimport\(\s*["']([^"'\n]+)["']/g
const commentLine = /^\s*(?:\*|\/\/|\/\*)/

const lineAt = (text: string, index: number): number => text.slice(0, index).split("\n").length

const importsOf = (file: SourceFile): ReadonlyArray<Import> => {
  const found: Array<Import> = []
  const add = (index: number, specifier: string) => {
    if (!specifier.startsWith(".")) return
    const to = path.posix.join(path.posix.dirname(file.path), specifier)
    found.push({ from: file.path, to, specifier, line: lineAt(file.text, index) })
  }
  for (const match of file.text.matchAll(statement)) add(match.index, match[1]!)
  for (const match of file.text.matchAll(call)) {
    const start = file.text.lastIndexOf("\n", match.index) + 1
    if (!commentLine.test(file.text.slice(start, match.index + 1))) add(match.index, match[1]!)
  }
  return found
}

/** `src/Session/Key.ts` → `Session`, `src/Main.ts` → `Main.ts`; `null` outside `src/`. */
const roomOf = (file: string): string | null => (file.startsWith("src/") ? file.split("/")[1]! : null)

const importProblem = ({ from, line, specifier, to }: Import): Problem | null => {
  const room = roomOf(from)!
  const target = roomOf(to)
  const problem = (message: string): Problem => ({ path: from, line, message: `imports ${specifier}: ${message}` })
  if (target === null) return problem("it lies outside src/")
  const floor = floorOf.get(room)
  const targetFloor = floorOf.get(target)
  if (floor !== undefined && targetFloor !== undefined && targetFloor > floor) {
    return problem(`${room} is on floor ${floor}, ${target} on floor ${targetFloor}`)
  }
  const inner = /^(.*\/)internal\//.exec(to)
  if (inner !== null && !from.startsWith(inner[1]!)) return problem(`internal/ is for ${inner[1]} only`)
  return null
}

/** Rooms that can reach each other through rooms of their own floor: one problem per group, with an import per edge. */
const cycleProblems = (imports: ReadonlyArray<Import>): ReadonlyArray<Problem> => {
  const edges = new Map<string, Map<string, Import>>()
  for (const edge of imports) {
    const [from, to] = [roomOf(edge.from)!, roomOf(edge.to)]
    if (to === null || from === to || floorOf.get(from) === undefined || floorOf.get(from) !== floorOf.get(to)) continue
    const targets = edges.get(from) ?? new Map<string, Import>()
    if (!targets.has(to)) edges.set(from, targets.set(to, edge))
  }
  const reachable = (start: string): ReadonlySet<string> => {
    const seen = new Set<string>()
    const waiting = [start]
    for (let room = waiting.pop(); room !== undefined; room = waiting.pop()) {
      for (const next of edges.get(room)?.keys() ?? []) {
        if (!seen.has(next)) waiting.push(next)
        seen.add(next)
      }
    }
    return seen
  }
  const reach = new Map([...edges.keys()].map((room) => [room, reachable(room)]))
  const reported = new Set<string>()
  const problems: Array<Problem> = []
  for (const [room, rooms] of reach) {
    if (!rooms.has(room) || reported.has(room)) continue
    const group = [...rooms].filter((other) => reach.get(other)?.has(room))
    for (const member of group) reported.add(member)
    const inGroup = group.flatMap((from) =>
      [...(edges.get(from) ?? [])].filter(([to]) => group.includes(to)).map(([, edge]) => edge)
    )
    const first = inGroup[0]!
    const listed = inGroup.map((edge) => `${edge.from}:${edge.line} imports ${edge.specifier}`).join("; ")
    problems.push({
      path: first.from,
      line: first.line,
      message: `rooms of one floor in a cycle: ${group.toSorted().join(", ")} (${listed})`
    })
  }
  return problems
}

/** `SessionManager` → `session`, `manager`. */
const wordsOf = (name: string): ReadonlyArray<string> =>
  name.split(/[^A-Za-z]+|(?<=[a-z])(?=[A-Z])/).map((word) => word.toLowerCase())

const nameProblem = (file: string): Problem | null => {
  const empty = file.split("/").find((part) => wordsOf(part).some((word) => emptyNames.has(word)))
  return empty === undefined
    ? null
    : { path: file, line: 1, message: `"${empty}" says nothing: name it after the idea it holds` }
}

const header = /^(?:#!.*\n)?\s*(?:\/\*\*?([\s\S]*?)\*\/|((?:\/\/.*\n)+))/

/** The sentences of a test say what it is for. */
const headerProblem = (file: SourceFile): Problem | null => {
  if (file.path.endsWith(".test.ts")) return null
  const match = header.exec(file.text)
  const words = (match?.[1] ?? match?.[2] ?? "").split(/[\s*/]+/).filter((word) => /[A-Za-z]/.test(word))
  return words.length >= 3
    ? null
    : {
        path: file.path,
        line: 1,
        message: "no header comment: say first what the file is for and what it must never do"
      }
}

const lengthProblem = (file: SourceFile): Problem | null => {
  const lines = file.text.split("\n").length - (file.text.endsWith("\n") ? 1 : 0)
  return lines <= maximumLines
    ? null
    : {
        path: file.path,
        line: maximumLines + 1,
        message: `${lines} lines, at most ${maximumLines}: which second idea moved in?`
      }
}

const roomProblem = (file: string): Problem | null => {
  const room = roomOf(file)
  return room === null || floorOf.has(room)
    ? null
    : { path: file, line: 1, message: `"${room}" is on no floor: the rooms are ${[...floorOf.keys()].join(", ")}` }
}

export const layoutProblems = (files: ReadonlyArray<SourceFile>): ReadonlyArray<Problem> => {
  const imports = files.filter((file) => roomOf(file.path) !== null).flatMap(importsOf)
  const problems = [
    ...files.flatMap((file) => [
      roomProblem(file.path),
      nameProblem(file.path),
      headerProblem(file),
      lengthProblem(file)
    ]),
    ...imports.map(importProblem),
    ...cycleProblems(imports)
  ]
  return problems
    .filter((problem) => problem !== null)
    .toSorted((a, b) => a.path.localeCompare(b.path) || a.line - b.line)
}

const places: ReadonlyArray<string> = ["src", "test", "bench", "scripts", "examples"]

export const readTree = (root: string): ReadonlyArray<SourceFile> =>
  places
    .filter((place) => existsSync(path.join(root, place)))
    .flatMap((place) =>
      readdirSync(path.join(root, place), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && /\.[cm]?ts$/.test(entry.name))
        .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)).split(path.sep).join("/"))
        .filter((file) => !file.startsWith("test/fixtures/"))
        .map((file) => ({ path: file, text: readFileSync(path.join(root, file), "utf8") }))
    )

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const files = readTree(process.argv[2] ?? path.dirname(import.meta.dirname))
  const problems = layoutProblems(files)
  for (const { line, message, path: file } of problems) console.log(`${file}:${line} ${message}`)
  if (problems.length > 0) console.log(`${problems.length} layout problems in ${files.length} files`)
  process.exitCode = problems.length > 0 ? 1 : 0
}
