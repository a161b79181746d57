/**
 * Target strings: where an operator, a job or a tool wants something sent (`delivery T1`, T2). It only takes them apart;
 * which link serves a target is found by whoever sends.
 */

export interface ParsedTarget {
  readonly platform: string
  readonly chatId: string | null
  readonly threadId: string | null
  /** A chat was named, not just a platform. */
  readonly isExplicit: boolean
}

/** Keywords and platform names ignore case, ids keep it; only the first two colons split. */
export const parse = (text: string, platforms: ReadonlySet<string>): ParsedTarget => {
  const trimmed = text.trim()
  const [first = "", chat, ...thread] = trimmed.split(":")
  const platform = first.trim().toLowerCase()
  if (platform === "" || !platforms.has(platform)) {
    return { platform: "local", chatId: null, threadId: null, isExplicit: false }
  }
  return {
    platform,
    chatId: chat === undefined || chat === "" ? null : chat,
    threadId: thread.length === 0 || thread.join(":") === "" ? null : thread.join(":"),
    isExplicit: chat !== undefined
  }
}
