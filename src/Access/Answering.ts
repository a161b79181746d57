/**
 * Who may answer what a turn asked (`access D5`, D6): one function for typed words, commands, buttons and reactions of
 * every platform. Whether the answerer may speak at all has been decided before.
 */

export interface Answerer {
  /** The user whose message started the turn; `null` = that message named none. */
  readonly asker: string | null
  readonly isDirect: boolean
  /** The user who typed, pressed or reacted; never the author of the prompt. */
  readonly answerer: string | null
  /** As the intake found out; a bot answers nothing (`access B5`). */
  readonly isBot: boolean | null
  /** Asked last: named in the admin list of this scope. An absent list makes nobody one. */
  readonly isConfiguredAdmin: () => boolean
}

const idOf = (id: string | null): string => id?.trim() ?? ""

export const mayAnswer = ({ answerer, asker, isBot, isConfiguredAdmin, isDirect }: Answerer): boolean => {
  if (isBot === true) return false
  if (isDirect) return true
  const who = idOf(answerer)
  return who !== "" && (who === idOf(asker) || isConfiguredAdmin())
}
