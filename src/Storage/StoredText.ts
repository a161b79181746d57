/**
 * Text that both databases can hold: PostgreSQL refuses NUL, and a lone surrogate has no UTF-8. Everything that came
 * from outside goes through here before it is written; nothing here truncates or otherwise judges.
 */

/** (`session T7`) NUL and lone surrogates become U+FFFD; a text without them is returned as it is. */
export const sanitizeText = (text: string): string => {
  const wellFormed = text.toWellFormed()
  return wellFormed.includes("\0") ? wellFormed.replaceAll("\0", "\uFFFD") : wellFormed
}

export const cleanOrNull = (text: string | null): string | null => (text === null ? null : sanitizeText(text))
