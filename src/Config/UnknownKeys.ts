/**
 * Keys that stand in a file but that nobody reads: a warning with the nearest known name, because a misspelt access
 * rule that is silently dropped is an open door (`operations`, Better than the reference 1).
 */
import type { ConfigProblem } from "./ConfigError.ts"
import { showPlace, type ConfigTree } from "./ConfigTree.ts"
import { nearest } from "./Nearest.ts"
import type { Setting } from "./Setting.ts"
import { pathOf, type Sources } from "./Sources.ts"

const MAX_WARNINGS = 100

/** Declared keys as a tree of names; a leaf takes everything below it. */
interface Names extends Map<string, Names> {}

const namesOf = (settings: ReadonlyArray<Setting<unknown>>): Names => {
  const root: Names = new Map<string, Names>()
  const keys = settings.flatMap(({ alternatives, key }) => [
    ...(key === null ? [] : [key]),
    ...alternatives.map((other) => other.key)
  ])
  for (const key of keys) {
    let node = root
    for (const part of pathOf(key)) {
      let next = node.get(part)
      if (next === undefined) node.set(part, (next = new Map<string, Names>()))
      node = next
    }
  }
  return root
}

const suggestion = (key: string, known: Iterable<string>): string => {
  const best = nearest(key, known)
  return best === null ? "remove it, or correct its name" : `did you mean "${best}"?`
}

/** Warnings for every unread key, ill-typed section and misspelt `SWITCHBOARD_` variable. */
export const unknownKeys = (
  sources: Sources,
  settings: ReadonlyArray<Setting<unknown>>
): ReadonlyArray<ConfigProblem> => {
  const names = namesOf(settings)
  const platforms = names.get("platforms") ?? new Map<string, Names>()
  const problems: Array<ConfigProblem> = []
  const warn = (tree: ConfigTree, key: string, value: string, expected: string, fix: string) => {
    if (problems.length < MAX_WARNINGS) {
      problems.push({ level: "warning", where: `${showPlace(tree.at)} ${key}`, value, expected, fix })
    }
  }

  const section = (tree: ConfigTree, path: string, known: Names) => {
    if (known.size === 0 || tree.value === null) return
    if (tree.children === null) {
      warn(
        tree,
        path,
        "a single value",
        "a map of keys",
        `write its keys below it, indented: ${[...known.keys()].slice(0, 3).join(", ")}`
      )
      return
    }
    for (const [key, child] of tree.children) {
      const below = known.get(key)
      if (below === undefined)
        warn(child, `${path}.${key}`, "an unknown key", "a known one", suggestion(key, known.keys()))
      else section(child, `${path}.${key}`, below)
    }
  }

  const block = (tree: ConfigTree, path: string, name: string) => {
    const known = platforms.get(name.trim().toLowerCase())
    if (known === undefined) {
      warn(tree, path, "an unknown platform", "the name of a platform", suggestion(name, platforms.keys()))
      return
    }
    const { extra, own } = splitExtra(tree)
    section(own, path, known)
    if (extra !== undefined && !known.has("extra")) section(extra, `${path}.extra`, known)
  }

  const top = (tree: ConfigTree, prefix: string) => {
    for (const [key, child] of tree.children ?? []) {
      const path = `${prefix}${key}`
      if (key === "gateway" && prefix === "") top(child, "gateway.")
      else if (key === "platforms") {
        for (const [name, inner] of child.children ?? []) block(inner, `${path}.${name}`, name)
      } else if (names.has(key)) section(child, path, names.get(key)!)
      else if (platforms.has(key.trim().toLowerCase())) block(child, path, key)
      else {
        warn(child, path, "an unknown key", "a known one", suggestion(key, [...names.keys(), ...platforms.keys()]))
      }
    }
  }

  for (const file of sources.files) top(file, "")
  return [...problems, ...misspeltVariables(sources, settings)]
}

const splitExtra = (tree: ConfigTree): { readonly own: ConfigTree; readonly extra: ConfigTree | undefined } => {
  if (tree.children === null) return { own: tree, extra: undefined }
  const children = new Map(tree.children)
  children.delete("extra")
  return { own: { ...tree, children }, extra: tree.children.get("extra") }
}

/** Other programs have variables with our prefix too, so only a near miss is worth a line. */
const misspeltVariables = (
  sources: Sources,
  settings: ReadonlyArray<Setting<unknown>>
): ReadonlyArray<ConfigProblem> => {
  const known = new Set(settings.flatMap((setting) => setting.env))
  const problems: Array<ConfigProblem> = []
  for (const { name } of sources.environment.variables.values()) {
    if (!name.startsWith("SWITCHBOARD_") || name === "SWITCHBOARD_HOME" || known.has(name)) continue
    const best = nearest(name, known)
    if (best === null) continue
    problems.push({
      level: "warning",
      where: name,
      value: "an unknown variable",
      expected: "a known one",
      fix: `did you mean "${best}"?`
    })
  }
  return problems.slice(0, MAX_WARNINGS)
}
