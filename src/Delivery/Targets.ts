/**
 * Target strings: where an operator, a job or a tool wants something sent (`delivery T1`–`T3`). It only takes them apart;
 * which link serves a target is found by whoever sends.
 */

/** The chat that a job was made in. */
export interface Origin {
  readonly platform: string
  readonly chatId: string
  readonly threadId: string | null
}

export interface ParsedTarget {
  /** `local` = files only. */
  readonly platform: string
  /** `null` = none named: the home channel. */
  readonly chatId: string | null
  readonly threadId: string | null
  /** A chat was named, not just a platform. */
  readonly isExplicit: boolean
  readonly isOrigin: boolean
}

const nowhere: ParsedTarget = { platform: "local", chatId: null, threadId: null, isExplicit: false, isOrigin: false }

/** Keywords and platform names ignore case, ids keep it; only the first two colons split. */
export const parse = (text: string, platforms: ReadonlySet<string>, origin: Origin | null = null): ParsedTarget => {
  const trimmed = text.trim()
  if (trimmed.toLowerCase() === "origin") return { ...(origin ?? nowhere), isExplicit: false, isOrigin: true }
  const [first = "", chat, ...thread] = trimmed.split(":")
  const platform = first.trim().toLowerCase()
  if (platform !== "local" && !platforms.has(platform)) return nowhere
  return {
    platform,
    chatId: chat ?? null,
    threadId: thread.length === 0 ? null : thread.join(":"),
    isExplicit: chat !== undefined,
    isOrigin: false
  }
}

/** Reads back to the same target, but for parts that are empty (`delivery T2`). */
export const format = ({ chatId, isOrigin, platform, threadId }: ParsedTarget): string => {
  if (isOrigin) return "origin"
  if (platform === "local") return "local"
  if (chatId === null || chatId === "") return platform
  return threadId === null || threadId === "" ? `${platform}:${chatId}` : `${platform}:${chatId}:${threadId}`
}

/** A comma list, each target once whatever the case of its platform; nothing named is `local` (`delivery T3`). */
export const parseAll = (
  list: string,
  platforms: ReadonlySet<string>,
  origin: Origin | null = null
): ReadonlyArray<{ readonly written: string; readonly target: ParsedTarget }> => {
  const found = new Map<string, { readonly written: string; readonly target: ParsedTarget }>()
  for (const written of list.split(",").map((part) => part.trim())) {
    if (written === "") continue
    const target = parse(written, platforms, origin)
    // What could not be read is kept under its own name, so that each can be told.
    const key = target === nowhere ? ` ${written}` : format({ ...target, isOrigin: false })
    if (!found.has(key)) found.set(key, { written, target })
  }
  return found.size === 0 ? [{ written: list, target: nowhere }] : [...found.values()]
}
