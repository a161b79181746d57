/**
 * Everything a value can come from, read once: environment, files, given values; and the look-up of one setting in
 * them by rank (`operations F1`–`F3`). Reading is here, deciding what a value means is not.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import type { ConfigProblem } from "./ConfigError.ts"
import { descend, parse, type ConfigTree } from "./ConfigTree.ts"
import { lookup, merge, type Environment } from "./Environment.ts"
import { parse as parseEnv, type EnvFile } from "./EnvFile.ts"

export interface Sources {
  readonly environment: Environment
  /** Highest rank first. */
  readonly files: ReadonlyArray<ConfigTree>
  /** Given by an embedding program or a test: above everything else. */
  readonly values: ReadonlyMap<string, unknown>
  readonly problems: ReadonlyArray<ConfigProblem>
}

export interface Found {
  readonly raw: unknown
  /** `environment NAME`, `.env NAME`, `config.yaml:12`, `given`. */
  readonly origin: string
  /** The variable, or `FILE:LINE:COLUMN KEY`. */
  readonly where: string
  /** The old name it was found under (`operations N3`). */
  readonly oldName: string | null
}

export const OVERLAY = "/etc/switchboard/config.yaml"
const MAX_BYTES = 1024 * 1024
const NO_VALUES: ReadonlyMap<string, unknown> = new Map()
const EMPTY_ENV: EnvFile = { values: new Map(), malformed: [] }

/** The files a home's configuration is made of, in falling rank. */
export const configFiles = (home: string, overlay: string) => [
  { path: overlay, name: overlay },
  { path: join(home, "config.yaml"), name: "config.yaml" },
  { path: join(home, "gateway.json"), name: "gateway.json" }
]

const unreadable = (name: string, value: string, fix: string): ConfigProblem => ({
  level: "error",
  where: `${name}:1:1`,
  value,
  expected: "a readable UTF-8 file of at most 1 MiB",
  fix
})

/** Text of a file; `null` when there is none. A file that is there but cannot be read is never taken for absent. */
const readText = (
  path: string,
  name: string
): { readonly text: string | null; readonly problem: ConfigProblem | null } => {
  let bytes: Buffer
  try {
    bytes = readFileSync(path)
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown"
    if (code === "ENOENT" || code === "ENOTDIR") return { text: null, problem: null }
    return {
      text: null,
      problem: unreadable(name, `a file that cannot be read (${code})`, "check the owner and rights of the file")
    }
  }
  if (bytes.length > MAX_BYTES)
    return { text: null, problem: unreadable(name, `${bytes.length} bytes`, "make it smaller") }
  try {
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(bytes), problem: null }
  } catch {
    return { text: null, problem: unreadable(name, "bytes that are no UTF-8", "save it as UTF-8") }
  }
}

/** Reads the files and the environment once. Problems of level `error` mean that the result must not be used. */
export const read = (options: {
  readonly home: string
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly workingDirectory: string
  readonly overlay: string
}): Sources => {
  const problems: Array<ConfigProblem> = []
  const text = (path: string, name: string) => {
    const { problem, text } = readText(path, name)
    if (problem !== null) problems.push(problem)
    return text
  }
  const envFile = (path: string, name: string) => {
    const content = text(path, name)
    return content === null ? EMPTY_ENV : parseEnv(content)
  }
  const files: Array<ConfigTree> = []
  for (const { name, path } of configFiles(options.home, options.overlay)) {
    const content = text(path, name)
    if (content === null) continue
    const parsed = parse(content, name)
    const old = name === "gateway.json"
    // A torn file of the old format counts as absent (`operations N4`).
    problems.push(
      ...(old ? parsed.problems.map((problem) => ({ ...problem, level: "warning" as const })) : parsed.problems)
    )
    if (parsed.tree !== null) files.push(parsed.tree)
    if (old && parsed.tree !== null) {
      problems.push({
        level: "warning",
        where: "gateway.json:1:1",
        value: "the old format",
        expected: "config.yaml",
        fix: "move its keys to config.yaml"
      })
    }
  }
  const homeEnv = join(options.home, ".env")
  const localEnv = join(options.workingDirectory, ".env")
  const environment = merge({
    home: envFile(homeEnv, ".env"),
    inherited: options.environment,
    workingDirectory: localEnv === homeEnv ? EMPTY_ENV : envFile(localEnv, "./.env")
  })
  return { environment, files, values: NO_VALUES, problems: [...problems, ...environment.problems] }
}

/** Only what is given: environment names or dotted keys. No file and no environment is looked at. */
export const given = (values: Readonly<Record<string, unknown>>): Sources => ({
  environment: { variables: new Map(), problems: [] },
  files: [],
  values: new Map(Object.entries(values).filter(([, value]) => value !== undefined)),
  problems: []
})

/** `operations F8`: a platform's name in any case. */
const childNamed = (tree: ConfigTree | undefined, name: string): ConfigTree | undefined => {
  const children = tree?.children
  if (!children) return undefined
  const exact = children.get(name)
  if (exact !== undefined) return exact
  for (const [key, child] of children) if (key.trim().toLowerCase() === name) return child
  return undefined
}

/** `operations F3`: the blocks of a platform, highest rank first. */
const platformBlocks = (file: ConfigTree, name: string): ReadonlyArray<ConfigTree> => {
  const gateway = file.children?.get("gateway")
  return [
    childNamed(file, name),
    childNamed(gateway, name),
    childNamed(file.children?.get("platforms"), name),
    childNamed(gateway?.children?.get("platforms"), name)
  ].filter((block) => block !== undefined && block.children !== null) as ReadonlyArray<ConfigTree>
}

const inFile = (file: ConfigTree, path: ReadonlyArray<string>): ConfigTree | undefined => {
  const [head, ...rest] = path
  if (head === "platforms" && rest.length > 1) {
    const [name, ...inner] = rest
    const key = inner[0] === "extra" ? inner.slice(1) : inner
    for (const block of platformBlocks(file, name!)) {
      const extra = block.children!.get("extra")
      const holder = inner[0] !== "extra" && block.children!.has(key[0]!) ? block : extra
      if (holder?.children?.has(key[0]!)) return descend(holder, key)
    }
    return undefined
  }
  const top = file.children?.get(head!)
  // `operations F2`: presence decides; `streaming` alone falls through when it is no map.
  const present = top !== undefined && !(head === "streaming" && top.children === null)
  return present ? descend(top, rest) : descend(file.children?.get("gateway"), path)
}

/** Splits a declared key; `gateway.` in front says only where it may stand. */
export const pathOf = (key: string): ReadonlyArray<string> => {
  const parts = key.split(".")
  return parts[0] === "gateway" && parts.length > 1 ? parts.slice(1) : parts
}

const inValues = (values: ReadonlyMap<string, unknown>, key: string): Found | null => {
  const parts = key.split(".")
  for (let length = parts.length; length > 0; length--) {
    const name = parts.slice(0, length).join(".")
    if (!values.has(name)) continue
    let value: unknown = values.get(name)
    for (const part of parts.slice(length)) {
      value = typeof value === "object" && value !== null ? (value as Record<string, unknown>)[part] : undefined
    }
    if (value !== undefined) return { raw: value, origin: "given", where: key, oldName: null }
  }
  return null
}

/** The value of highest rank, undecoded; `null` = nobody set it. */
export const find = (sources: Sources, env: ReadonlyArray<string>, key: string | null): Found | null => {
  for (const name of env) {
    if (sources.values.has(name)) return { raw: sources.values.get(name), origin: "given", where: name, oldName: null }
  }
  const direct = key === null ? null : inValues(sources.values, key)
  if (direct !== null) return direct
  const named = lookup(sources.environment, env)
  if (named !== null) {
    const { name, source, value } = named.variable
    return { raw: value, origin: `${source} ${name}`, where: name, oldName: named.old ? name : null }
  }
  if (key === null) return null
  const path = pathOf(key)
  for (const file of sources.files) {
    const node = inFile(file, path)
    if (node === undefined) continue
    const { column, file: name, line } = node.at
    return { raw: node.value, origin: `${name}:${line}`, where: `${name}:${line}:${column} ${key}`, oldName: null }
  }
  return null
}
