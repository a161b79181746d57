/**
 * What the page remembers in this browser: messages the server has not confirmed, chats that exist only here so far, how
 * far each chat was read. When the browser refuses to store, it goes on in memory.
 */

export interface Unsent {
  readonly id: string
  readonly chatId: string
  readonly text: string
  readonly createdAt: number
  /** Why the server will not take it; it waits for the person to decide. */
  readonly refused: string | null
}

/** Messages that may wait here; more are refused to the person. */
export const maxUnsent = 500

const names = { unsent: "switchboard.unsent", read: "switchboard.read", current: "switchboard.current" } as const

const inMemory = new Map<string, string>()

const read = <A>(name: string, fallback: A, isValid: (value: unknown) => value is A): A => {
  try {
    const value: unknown = JSON.parse(inMemory.get(name) ?? localStorage.getItem(name) ?? "null")
    return isValid(value) ? value : fallback
  } catch {
    return fallback
  }
}

const write = (name: string, value: unknown): void => {
  const text = JSON.stringify(value)
  try {
    localStorage.setItem(name, text)
    inMemory.delete(name)
  } catch {
    inMemory.set(name, text)
  }
}

const isUnsent = (value: unknown): value is Unsent =>
  typeof value === "object" &&
  value !== null &&
  "id" in value &&
  typeof value.id === "string" &&
  "chatId" in value &&
  typeof value.chatId === "string" &&
  "text" in value &&
  typeof value.text === "string"
const areUnsent = (value: unknown): value is ReadonlyArray<Unsent> => Array.isArray(value) && value.every(isUnsent)
const isText = (value: unknown): value is string => typeof value === "string"
const isPositions = (value: unknown): value is Record<string, number> =>
  typeof value === "object" &&
  value !== null &&
  !Array.isArray(value) &&
  Object.values(value).every((position) => typeof position === "number")

/** Other tabs write here too, so that it is read anew each time. */
export const unsent = (): ReadonlyArray<Unsent> => read<ReadonlyArray<Unsent>>(names.unsent, [], areUnsent)

export const keep = (message: Unsent): void =>
  write(names.unsent, [...unsent().filter(({ id }) => id !== message.id), message])

/** The same place in the order, with another fate. */
export const refuse = (id: string, why: string): void =>
  write(
    names.unsent,
    unsent().map((message) => (message.id === id ? { ...message, refused: why } : message))
  )

export const forget = (ids: ReadonlySet<string>): void => {
  const before = unsent()
  const after = before.filter(({ id }) => !ids.has(id))
  if (after.length !== before.length) write(names.unsent, after)
}

/** The greatest `seq` that was on the screen. */
export const readUpTo = (chatId: string): number => read(names.read, {}, isPositions)[chatId] ?? 0

export const markRead = (chatId: string, seq: number): void => {
  const positions = read<Record<string, number>>(names.read, {}, isPositions)
  if ((positions[chatId] ?? 0) < seq) write(names.read, { ...positions, [chatId]: seq })
}

export const currentChat = (): string => read(names.current, "", isText)
export const setCurrentChat = (chatId: string): void => write(names.current, chatId)
