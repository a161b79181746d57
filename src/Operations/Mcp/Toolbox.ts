/**
 * The tools as their callers see them: names, what goes in, what comes out, how they fail. What they do is elsewhere.
 */
import { Schema } from "effect"
import { Tool, Toolkit } from "effect/ai"
import { HttpServerRequest } from "effect/http"
import { Happened } from "../HttpProblem.ts"
import { Delivery } from "../Turns/TurnView.ts"

const Text = (most: number, description: string) =>
  Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(most)).annotate({ description })
const Whole = (least: number, most: number, description: string) =>
  Schema.Int.check(Schema.isBetween({ minimum: least, maximum: most })).annotate({ description })
const Key = Schema.String.check(Schema.isPattern(/^[\w.:@+-]{1,128}$/)).annotate({
  description: "the same call made again under this key is carried out once"
})
const optional = Schema.optionalKey
const TargetName = Text(1000, "PLATFORM:CHAT or PLATFORM:CHAT:THREAD, as list_targets gives it")

/** `happened` says whether repeating is safe: `no` surely not done, `unknown` ask get_delivery or repeat with the same key. */
const Failure = Schema.Struct({
  error: Schema.Literals([
    "not_allowed",
    "not_found",
    "not_running",
    "key_in_use",
    "busy",
    "empty",
    "unsupported",
    "storage",
    "refused_by_platform"
  ]),
  message: Schema.String,
  happened: Happened
})
export type Failure = typeof Failure.Type

const Where = Schema.Struct({
  target: Schema.String,
  name: Schema.NullOr(Schema.String),
  platform: Schema.String,
  chat_type: Schema.String,
  running: Schema.Boolean,
  last_activity_at: Schema.Number
})

const Question = Schema.Struct({
  question_id: Schema.String,
  status: Schema.Literals(["waiting", "answered", "expired"]),
  answer: Schema.NullOr(Schema.String),
  expires_at: Schema.Number
})

const dependencies = [HttpServerRequest.HttpServerRequest]
const tool = <const Name extends string, Fields extends Schema.Struct.Fields, Result extends Schema.Struct.Fields>(
  name: Name,
  kind: "reads" | "acts",
  description: string,
  parameters: Schema.Struct<Fields>,
  success: Schema.Struct<Result>
) =>
  Tool.make(name, { description, parameters, success, failure: Failure, dependencies })
    .annotate(Tool.Readonly, kind === "reads")
    .annotate(Tool.Destructive, false)
    .annotate(Tool.Idempotent, kind === "reads")
    .annotate(Tool.OpenWorld, kind === "acts")

const listTargets = tool(
  "list_targets",
  "reads",
  "Lists the chats that a message can be sent to, last active first.",
  Schema.Struct({ limit: optional(Whole(1, 200, "at most so many; default 50")) }),
  Schema.Struct({ targets: Schema.Array(Where) })
)
const sendMessage = tool(
  "send_message",
  "acts",
  "Sends a message to a chat. It is stored before it is sent and never lost; delivery tells how far it has come.",
  Schema.Struct({
    target: TargetName,
    text: Text(100_000, "Markdown; long texts are split"),
    idempotency_key: optional(Key),
    wait_seconds: optional(Whole(0, 30, "how long to wait for its delivery; default 5"))
  }),
  Schema.Struct({ delivery: Delivery })
)
const getDelivery = tool(
  "get_delivery",
  "reads",
  "Tells what became of a message that send_message or ask_user sent.",
  Schema.Struct({ delivery_id: Text(64, "delivery.id of send_message") }),
  Schema.Struct({ delivery: Delivery })
)
const react = tool(
  "react",
  "acts",
  "Puts an emoji on a message of a chat, or takes it off.",
  Schema.Struct({
    target: TargetName,
    message_id: Text(500, "the platform's id of the message"),
    emoji: Text(64, "one emoji"),
    remove: optional(Schema.Boolean)
  }),
  Schema.Struct({ done: Schema.Boolean })
)
const askUser = tool(
  "ask_user",
  "acts",
  "Asks a person in a chat and waits for the answer. Without one in time it says so; get_answer fetches it later.",
  Schema.Struct({
    target: optional(TargetName.annotate({ description: "as of list_targets; an agent's own chat when left out" })),
    question: Text(4000, "what to ask"),
    choices: optional(Schema.Array(Text(200, "an answer to choose")).check(Schema.isMaxLength(20))),
    idempotency_key: optional(Key),
    wait_seconds: optional(Whole(0, 240, "how long this call waits; default 60")),
    expires_seconds: optional(Whole(10, 604_800, "how long the question stands; default 3600"))
  }),
  Question
)
const getAnswer = tool(
  "get_answer",
  "reads",
  "Fetches the answer to a question of ask_user, also after a lost connection or a restart.",
  Schema.Struct({
    question_id: Text(64, "of ask_user"),
    wait_seconds: optional(Whole(0, 240, "how long to wait; default 0"))
  }),
  Question
)
const listSessions = tool(
  "list_sessions",
  "reads",
  "Lists conversations, last active first.",
  Schema.Struct({
    query: optional(Text(500, "words of titles or messages")),
    limit: optional(Whole(1, 100, "at most so many; default 20"))
  }),
  Schema.Struct({
    sessions: Schema.Array(
      Schema.Struct({
        session_id: Schema.String,
        platform: Schema.String,
        title: Schema.NullOr(Schema.String),
        preview: Schema.String,
        messages: Schema.Number,
        last_activity_at: Schema.Number
      })
    )
  })
)
const readHistory = tool(
  "read_history",
  "reads",
  "Reads the newest messages of a conversation, oldest first. Secrets are masked.",
  Schema.Struct({
    session_id: optional(Text(200, "of list_sessions; an agent's own conversation when left out")),
    limit: optional(Whole(1, 200, "at most so many; default 50"))
  }),
  Schema.Struct({
    session_id: Schema.String,
    messages: Schema.Array(
      Schema.Struct({
        role: Schema.String,
        sender: Schema.NullOr(Schema.String),
        text: Schema.String,
        at: Schema.Number
      })
    )
  })
)
const searchHistory = tool(
  "search_history",
  "reads",
  "Searches messages of conversations; the match stands between >>> and <<<.",
  Schema.Struct({
    query: Text(500, "words to look for"),
    limit: optional(Whole(1, 50, "at most so many; default 10"))
  }),
  Schema.Struct({
    hits: Schema.Array(
      Schema.Struct({
        session_id: Schema.String,
        role: Schema.String,
        snippet: Schema.String,
        title: Schema.NullOr(Schema.String),
        platform: Schema.String,
        at: Schema.Number
      })
    )
  })
)

export const Toolbox = Toolkit.make(
  listTargets,
  sendMessage,
  getDelivery,
  react,
  askUser,
  getAnswer,
  listSessions,
  readHistory,
  searchHistory
)
