/**
 * What people may say or press in answer to a prompt, and what it means (`conversation` A4, C3, F3). Pure; who may answer is
 * decided elsewhere.
 */
import type { Answer } from "../Agent/Agent.ts"
import type { PromptOption } from "../Delivery/Outlet.ts"
import type { StoredOption, StoredPrompt } from "../Storage/PromptStore.ts"
import type { Prompt } from "./Prompts.ts"
import * as SlashCommand from "./SlashCommand.ts"

/** More than these are asked as a numbered list (`relay L1`). */
const mostButtons = 10
/** The button after which the next text is the answer (`conversation C2`). */
const other = "other"

const table = <A extends string>(words: Readonly<Record<A, ReadonlyArray<string>>>): ReadonlyMap<string, A> => {
  const found = new Map<string, A>()
  for (const meaning in words) for (const word of words[meaning]) found.set(word, meaning)
  return found
}

const approvals = table({
  once: ["approve", "yes", "ok", "okay", "confirm", "y", "👍"],
  deny: ["deny", "no", "reject", "cancel", "n", "👎"],
  always: ["always", "approve always"],
  session: ["session", "approve session"]
})

const confirmations = table({
  once: ["approve", "approve once", "once"],
  always: ["always", "always approve"],
  cancel: ["cancel", "nevermind", "no"]
})

const confirmingCommands = table({
  once: ["approve", "yes", "ok", "confirm"],
  always: ["always", "remember"],
  cancel: ["cancel", "no", "deny", "nevermind"]
})

/** `NotThis`: out of range, the question stays. `Other`: the next text is the answer. */
export type Meaning =
  | { readonly _tag: "Answer"; readonly answer: Answer }
  | { readonly _tag: "NotThis" }
  | { readonly _tag: "Other" }

const says = (text: string): Meaning => ({ _tag: "Answer", answer: { _tag: "Text", text } })

/** A choice that may not be kept for good counts for the conversation (`conversation A5`). */
const decision = (prompt: Prompt, choice: "once" | "session" | "always" | "deny"): Meaning => ({
  _tag: "Answer",
  answer: { _tag: "Decision", choice: choice === "always" && !prompt.allowPermanent ? "session" : choice }
})

/** What a typed text answers to a prompt of a turn; `null` = it is not an answer. */
export const typed = (prompt: Prompt, text: string): Meaning | null => {
  const said = text.trim()
  if (prompt.kind === "approval") {
    const choice = approvals.get(said.toLowerCase())
    return choice === undefined ? null : decision(prompt, choice)
  }
  if (said === "") return null
  const number = /^\d+$/.test(said) ? Number(said) : null
  const chosen = prompt.choices[(number ?? 0) - 1] ?? prompt.choices.find((choice) => labelOf(choice) === labelOf(said))
  if (chosen !== undefined) return says(chosen)
  if (prompt.takesText) return says(said)
  return number === null ? null : { _tag: "NotThis" }
}

const labelOf = (choice: string): string =>
  choice
    .toLowerCase()
    .replace(/\s*\(recommended\)\s*$/, "")
    .trim()

/** What a pressed button means; `null` = the prompt has no such button. */
export const pressed = (prompt: Prompt, optionId: string): Meaning | null => {
  if (prompt.kind === "approval") {
    const choice = optionId
    return choice === "once" || choice === "session" || choice === "always" || choice === "deny"
      ? decision(prompt, choice)
      : null
  }
  if (optionId === other) return { _tag: "Other" }
  const chosen = /^\d+$/.test(optionId) ? prompt.choices[Number(optionId) - 1] : undefined
  return chosen === undefined ? null : says(chosen)
}

/** Buttons of an approval (`conversation A3`). */
export const approvalOptions = (allowPermanent: boolean): ReadonlyArray<PromptOption> => [
  { id: "once", label: "Once", style: "primary" },
  { id: "session", label: "This conversation", style: null },
  ...(allowPermanent ? [{ id: "always", label: "Always", style: null }] : []),
  { id: "deny", label: "Deny", style: "danger" }
]

/** Buttons of a question; none when it has no choices, or too many. */
export const questionOptions = (choices: ReadonlyArray<string>): ReadonlyArray<PromptOption> =>
  choices.length === 0 || choices.length >= mostButtons
    ? []
    : [
        ...choices.map((label, i) => ({ id: String(i + 1), label, style: null })),
        { id: other, label: "Something else", style: null }
      ]

/** Which option of a stored prompt a typed text chooses; `null` = none, it is an ordinary message. */
export const chosen = (prompt: StoredPrompt, text: string): StoredOption | null => {
  const said = text.trim()
  if (prompt.kind === "picker") {
    const number = /^\d+$/.test(said) ? Number(said) : 0
    return (
      prompt.options[number - 1] ??
      prompt.options.find(({ label }) => label.toLowerCase() === said.toLowerCase()) ??
      null
    )
  }
  const command = SlashCommand.parse(said)
  const id =
    command === null
      ? confirmations.get(said.toLowerCase().replace(/^!/, ""))
      : command.args === ""
        ? confirmingCommands.get(command.name ?? "")
        : undefined
  return id === undefined ? null : (prompt.options.find((option) => option.id === id) ?? null)
}
