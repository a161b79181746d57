/** What there is for the commands of one chat: the agent with what it announces, skills, quick commands, switches. */
import type { Agent, AgentCommand } from "../../Agent/Agent.ts"
import type { QuickCommand } from "./QuickCommands.ts"
import type { Skill } from "./Skills.ts"

export interface Offer {
  readonly platform: string
  readonly agent: Agent["Service"]
  /** The agent's own commands in this session. */
  readonly announced: ReadonlyArray<AgentCommand>
  readonly skills: ReadonlyArray<Skill>
  readonly quick: ReadonlyMap<string, QuickCommand>
  /** `display.tool_progress_command`. */
  readonly verboseCommand: boolean
}
