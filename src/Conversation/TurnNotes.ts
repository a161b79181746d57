/**
 * What the agent is told once, in front of one message and never again (`session P5`, R9, U6): pure, from how the turn
 * came about. It is not stored with the message.
 */
import type { Turn } from "../Session/Turns.ts"

const resets = {
  suspended: "The previous session was stopped.",
  idle: "The previous session expired because nobody had written for a while.",
  daily: "The previous session was reset by the daily schedule."
}

const note = (text: string): string => `[System note: ${text}]`

export const notesOf = ({ begun, row }: Pick<Turn, "begun" | "row">): ReadonlyArray<string> => {
  const notes: Array<string> = []
  if (begun.isFirstEver) {
    notes.push(
      note(
        "This is the first message ever. Introduce yourself in a sentence or two, and mention that /help lists commands."
      )
    )
  }
  if (begun.reset !== null) {
    const { hadActivity, previousId, reason } = begun.reset
    notes.push(
      note(
        `${resets[reason]} This is a fresh conversation without earlier context.` +
          (hadActivity ? ` The previous session is ${previousId}: look it up with session search before you act.` : "")
      )
    )
  }
  if (row.starts > 0) {
    notes.push(
      note(
        "The gateway was restarted while you worked on the following message, taken at " +
          `${new Date(row.takenAt).toISOString()}. Nothing of that work is kept: do not assume that it was finished, and ` +
          "do not repeat what may have had an effect without looking first."
      )
    )
  }
  return notes
}
