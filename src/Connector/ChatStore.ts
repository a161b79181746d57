/**
 * The tables `web_chats` and `web_messages`: everything the web chat must not forget. The only file that knows their SQL;
 * it decides nothing about states.
 */
import { Context, Effect, Layer, Schema } from "effect"
import type { SqlError } from "effect/sql"
import { Database } from "../Storage/Database.ts"
import { type Chat, type ChatMessage, MessageState, Press, Prompt, Role } from "./ChatModel.ts"

export interface NewMessage {
  readonly chatId: string
  readonly id: string
  readonly role: ChatMessage["role"]
  readonly text: string
  readonly replyTo: string | null
  readonly prompt?: Prompt
  readonly press?: Press
  readonly idempotencyKey: string | null
  readonly bufferId: string | null
  readonly state: MessageState
  readonly at: number
  readonly revision: number
}

export interface Change {
  readonly state?: MessageState
  readonly text?: string
  /** Its buttons are gone. */
  readonly answered?: true
  readonly at: number
  readonly revision: number
}

type Stored<A> = Effect.Effect<A, SqlError.SqlError>

const Count = Schema.Union([Schema.Finite, Schema.FiniteFromString])

const MessageRow = Schema.Struct({
  seq: Count,
  chat_id: Schema.String,
  id: Schema.String,
  role: Role,
  text: Schema.String,
  reply_to: Schema.NullOr(Schema.String),
  prompt: Schema.NullOr(Schema.fromJsonString(Prompt)),
  press: Schema.NullOr(Schema.fromJsonString(Press)),
  state: MessageState,
  created_at: Count,
  updated_at: Count,
  revision: Count
})
const ChatRow = Schema.Struct({ chat_id: Schema.String, title: Schema.String, created_at: Count })
const WaitingRow = Schema.Struct({ ...MessageRow.fields, title: Schema.NullOr(Schema.String) })
const NumberRow = Schema.Struct({ n: Schema.NullOr(Count) })

// A row that does not decode was written by nobody here: a defect, seen by the supervisor.
const rowsOf = <A>(schema: Schema.Decoder<A>) => {
  const decode = Schema.decodeUnknownEffect(Schema.Array(schema))
  return (rows: ReadonlyArray<unknown>) => Effect.orDie(decode(rows))
}
const messageRows = rowsOf(MessageRow)
const chatRows = rowsOf(ChatRow)
const waitingRows = rowsOf(WaitingRow)
const numberRows = rowsOf(NumberRow)

const toMessage = (row: typeof MessageRow.Type): ChatMessage => ({
  seq: row.seq,
  chatId: row.chat_id,
  id: row.id,
  role: row.role,
  text: row.text,
  replyTo: row.reply_to,
  prompt: row.prompt,
  press: row.press,
  state: row.state,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
  revision: row.revision
})
const toChat = (row: typeof ChatRow.Type): Chat => ({
  chatId: row.chat_id,
  title: row.title,
  createdAt: row.created_at
})

const columns = "seq, chat_id, id, role, text, reply_to, prompt, press, state, created_at, updated_at, revision"
const qualified = columns
  .split(", ")
  .map((column) => `m.${column}`)
  .join(", ")

/** Statements are written with `?`; PostgreSQL counts its parameters. */
const statement = (text: string): Readonly<Record<"sqlite" | "pg", string>> => {
  let n = 0
  return { sqlite: text, pg: text.replace(/\?/g, () => `$${++n}`) }
}

const sql = {
  lastRevision: statement("SELECT max(revision) AS n FROM web_messages"),
  chats: statement("SELECT chat_id, title, created_at FROM web_chats ORDER BY created_at, chat_id"),
  chat: statement("SELECT chat_id, title, created_at FROM web_chats WHERE chat_id = ?"),
  chatCount: statement("SELECT count(*) AS n FROM web_chats"),
  addChat: statement(
    "INSERT INTO web_chats (chat_id, title, created_at) VALUES (?, ?, ?) ON CONFLICT (chat_id) DO NOTHING"
  ),
  renameChat: statement("UPDATE web_chats SET title = ? WHERE chat_id = ?"),
  insert: statement(
    "INSERT INTO web_messages (chat_id, id, role, text, reply_to, prompt, press, idempotency_key, buffer_id, state, created_at, " +
      `updated_at, revision) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING ${columns}`
  ),
  byId: statement(`SELECT ${columns} FROM web_messages WHERE id = ?`),
  byKey: statement(`SELECT ${columns} FROM web_messages WHERE idempotency_key = ?`),
  change: statement(
    "UPDATE web_messages SET state = COALESCE(?, state), text = COALESCE(?, text), prompt = CASE WHEN ? = 1 THEN NULL ELSE prompt END, updated_at = ?, revision = ? " +
      `WHERE id = ? RETURNING ${columns}`
  ),
  open: statement(
    `SELECT ${columns} FROM web_messages WHERE chat_id = ? AND role = 'user' ` +
      "AND state IN ('sent', 'taken', 'running') ORDER BY seq LIMIT 1000"
  ),
  undelivered: statement(
    `SELECT ${qualified}, c.title AS title FROM web_messages m LEFT JOIN web_chats c ON c.chat_id = m.chat_id ` +
      "WHERE m.state = 'sent' AND m.seq > ? ORDER BY m.seq LIMIT ?"
  ),
  waitingCount: statement("SELECT count(*) AS n FROM web_messages WHERE chat_id = ? AND state = 'sent'"),
  changedSince: statement(`SELECT ${columns} FROM web_messages WHERE revision > ? ORDER BY revision LIMIT ?`),
  before: statement(`SELECT ${columns} FROM web_messages WHERE chat_id = ? AND seq < ? ORDER BY seq DESC LIMIT ?`),
  prune: statement(
    "DELETE FROM web_messages WHERE chat_id = ? AND state <> 'sent' AND seq <= (SELECT seq FROM web_messages " +
      "WHERE chat_id = ? ORDER BY seq DESC LIMIT 1 OFFSET ?)"
  )
}
type StatementName = keyof typeof sql

export class ChatStore extends Context.Service<
  ChatStore,
  {
    /** All of the effect's writes or none; `Database.transaction`. */
    readonly transaction: <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E | SqlError.SqlError>
    /** 0 when nothing is stored. */
    readonly lastRevision: Stored<number>
    readonly chats: Stored<ReadonlyArray<Chat>>
    readonly chat: (chatId: string) => Stored<Chat | null>
    readonly chatCount: Stored<number>
    /** Keeps an existing chat as it is. */
    readonly addChat: (chat: Chat) => Stored<void>
    readonly renameChat: (chatId: string, title: string) => Stored<void>
    /** `null`: a message with this id or idempotency key is there already. */
    readonly insert: (message: NewMessage) => Stored<ChatMessage | null>
    readonly byId: (id: string) => Stored<ChatMessage | null>
    readonly byKey: (idempotencyKey: string) => Stored<ChatMessage | null>
    /** `null`: no such message. */
    readonly change: (id: string, change: Change) => Stored<ChatMessage | null>
    /** A person's messages of a chat that are not answered, oldest first; at most 1000. */
    readonly open: (chatId: string) => Stored<ReadonlyArray<ChatMessage>>
    /** What the gateway has not acknowledged, in order, after `seq`. */
    readonly undelivered: (
      afterSeq: number,
      limit: number
    ) => Stored<ReadonlyArray<{ readonly message: ChatMessage; readonly title: string }>>
    readonly waitingCount: (chatId: string) => Stored<number>
    /** In order of revision. */
    readonly changedSince: (revision: number, limit: number) => Stored<ReadonlyArray<ChatMessage>>
    /** The last `limit` messages of a chat before `seq`, in order. */
    readonly before: (chatId: string, seq: number, limit: number) => Stored<ReadonlyArray<ChatMessage>>
    /** Deletes the oldest messages beyond `keep`, except those that the gateway has not taken. */
    readonly prune: (chatId: string, keep: number) => Stored<void>
  }
>()("Connector/ChatStore") {
  static readonly layer = Layer.effect(
    ChatStore,
    Effect.gen(function* () {
      const database = yield* Database
      const run = (name: StatementName, ...params: ReadonlyArray<string | number | null>) =>
        database.execute(sql[name][database.dialect], params)
      const messages = (name: StatementName, ...params: ReadonlyArray<string | number | null>) =>
        run(name, ...params).pipe(
          Effect.flatMap(messageRows),
          Effect.map((rows) => rows.map(toMessage))
        )
      const message = (name: StatementName, ...params: ReadonlyArray<string | number | null>) =>
        Effect.map(messages(name, ...params), (rows) => rows[0] ?? null)
      const chats = (name: StatementName, ...params: ReadonlyArray<string>) =>
        run(name, ...params).pipe(
          Effect.flatMap(chatRows),
          Effect.map((rows) => rows.map(toChat))
        )
      const count = (name: StatementName, ...params: ReadonlyArray<string>) =>
        run(name, ...params).pipe(
          Effect.flatMap(numberRows),
          Effect.map((rows) => rows[0]?.n ?? 0)
        )

      return {
        transaction: (effect) => database.transaction(effect),
        lastRevision: count("lastRevision"),
        chats: chats("chats"),
        chat: (chatId) => Effect.map(chats("chat", chatId), (rows) => rows[0] ?? null),
        chatCount: count("chatCount"),
        addChat: (chat) => Effect.asVoid(run("addChat", chat.chatId, chat.title, chat.createdAt)),
        renameChat: (chatId, title) => Effect.asVoid(run("renameChat", title, chatId)),
        insert: (m) =>
          message(
            "insert",
            m.chatId,
            m.id,
            m.role,
            m.text,
            m.replyTo,
            m.prompt === undefined ? null : JSON.stringify(m.prompt),
            m.press === undefined ? null : JSON.stringify(m.press),
            m.idempotencyKey,
            m.bufferId,
            m.state,
            m.at,
            m.at,
            m.revision
          ),
        byId: (id) => message("byId", id),
        byKey: (key) => message("byKey", key),
        change: (id, change) =>
          message(
            "change",
            change.state ?? null,
            change.text ?? null,
            change.answered === true ? 1 : 0,
            change.at,
            change.revision,
            id
          ),
        open: (chatId) => messages("open", chatId),
        undelivered: (afterSeq, limit) =>
          run("undelivered", afterSeq, limit).pipe(
            Effect.flatMap(waitingRows),
            Effect.map((rows) => rows.map((row) => ({ message: toMessage(row), title: row.title ?? row.chat_id })))
          ),
        waitingCount: (chatId) => count("waitingCount", chatId),
        changedSince: (revision, limit) => messages("changedSince", revision, limit),
        before: (chatId, seq, limit) => Effect.map(messages("before", chatId, seq, limit), (rows) => rows.reverse()),
        prune: (chatId, keep) => Effect.asVoid(run("prune", chatId, chatId, keep))
      }
    })
  )
}
