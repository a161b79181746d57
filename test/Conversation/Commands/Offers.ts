/** What there is for commands, for tests of the pure parts: an agent that offers nothing, and whatever a test adds. */
import { Effect } from "effect"
import type { Offer } from "../../../src/Conversation/Commands/Offer.ts"
import type { Skill } from "../../../src/Conversation/Commands/Skills.ts"

export const skill = (name: string, more: Partial<Skill> = {}): Skill => ({
  name,
  description: `Does ${name}`,
  content: `How to ${name}.`,
  disabledOn: [],
  isDisabled: false,
  ...more
})

export const offer = (more: Partial<Offer> = {}): Offer => ({
  platform: "test",
  agent: { name: "none", start: () => Effect.never },
  announced: [],
  skills: [],
  quick: new Map(),
  verboseCommand: false,
  ...more
})
