/**
 * Plans of what commands do to conversations (`session C`), from what is stored. Reads come after a flush, so that what a
 * turn of this key has just handed over is seen; nothing is written here.
 */
import { Effect, Layer, Random } from "effect"
import type { SqlError } from "effect/sql"
import { GroupSessionsPerUser, ThreadSessionsPerUser } from "../Config/GatewaySettings.ts"
import { redact } from "../Config/Redact.ts"
import { Settings } from "../Config/Settings.ts"
import type { Write } from "../Storage/BatchStatement.ts"
import { Journal } from "../Storage/Journal.ts"
import { chosen, followed, noChoices, pointed, type Route, tokensForgotten, touched } from "../Storage/Routes.ts"
import { SearchIndex } from "../Storage/SearchIndex.ts"
import * as Store from "../Storage/SessionStore.ts"
import { copied, said, takenBack, Transcript } from "../Storage/Transcript.ts"
import { fresh } from "./Entry.ts"
import { Routing } from "./Routing.ts"
import { isUnsafe } from "./SafeName.ts"
import * as SessionId from "./SessionId.ts"
import { isMultiUser } from "./SessionKey.ts"
import { type Asker, type Listed, SessionRefused, Sessions } from "./Sessions.ts"
import { SessionsMaxExportMessages, SessionsMaxResumeMessages, Timezone } from "./SessionSettings.ts"
import * as Title from "./Title.ts"
import { TurnGate } from "./TurnGate.ts"

/** What `/resume` without an argument lists, and what its numbers mean (`session C5`). */
const listedBound = 10
const lineage = 32
const previewLength = 60

const refused = (
  reason: SessionRefused["reason"],
  more: Partial<Pick<SessionRefused, "sessionId" | "count" | "limit">> = {}
): SessionRefused => new SessionRefused({ reason, sessionId: null, count: null, limit: null, ...more })

const plans = Layer.effect(
  Sessions,
  Effect.gen(function* () {
    const journal = yield* Journal
    const store = yield* Store.SessionStore
    const transcript = yield* Transcript
    const index = yield* SearchIndex
    const settings = yield* Settings
    const zone = yield* settings.get(Timezone)
    const maxResume = yield* settings.get(SessionsMaxResumeMessages)
    const maxExport = yield* settings.get(SessionsMaxExportMessages)
    const sharing = {
      groupSessionsPerUser: yield* settings.get(GroupSessionsPerUser),
      threadSessionsPerUser: yield* settings.get(ThreadSessionsPerUser)
    }

    const newRoute = ({ now, sessionKey, source }: Asker): Effect.Effect<Route> =>
      Effect.map(Random.next, (random) => fresh(sessionKey, SessionId.make(now, random, zone), source, now))

    /** The asker's conversation; made when there is none, as a title may come before the first message (`session C2`). */
    const current = (asker: Asker): Effect.Effect<Route> =>
      asker.route === null ? newRoute(asker) : Effect.succeed(asker.route)

    const existing = ({ route }: Asker) =>
      route === null ? Effect.fail(refused("no_session")) : Effect.as(journal.flush, route)

    /** What the asker may list and attach to (`session C6`): this chat, and in it what is shared or his own. */
    const placeOf = ({ scope, source }: Asker): Store.Place | null => {
      if (scope === "all") return null
      const { chatId, platform, threadId, userId } = source
      const isShared = isMultiUser(source, sharing)
      return {
        platform,
        chatId,
        threadId: isShared ? (threadId ?? "") : null,
        userId: isShared || (source.chatType === "dm" && chatId !== "") ? null : (userId ?? "")
      }
    }

    const isAllowed = (asker: Asker, session: Store.SessionRow): boolean => {
      const place = placeOf(asker)
      return (
        place === null ||
        (session.platform === place.platform &&
          session.chat_id === place.chatId &&
          (place.threadId === null || (session.thread_id ?? "") === place.threadId) &&
          (place.userId === null || session.user_id === place.userId))
      )
    }

    const usable = Effect.fnUntraced(function* (text: string, sessionId: string) {
      const title = Title.clean(text)
      if (title === "") return yield* refused("title_empty")
      if (Title.lengthOf(title) > Title.maxTitle) {
        return yield* refused("title_too_long", { count: Title.lengthOf(title), limit: Title.maxTitle })
      }
      const other = (yield* store.byTitle(title)).find((session) => session.title === title)
      if (other !== undefined && other.id !== sessionId) return yield* refused("title_taken", { sessionId: other.id })
      return title
    })

    const isRefused = (error: SessionRefused | SqlError.SqlError): error is SessionRefused =>
      error._tag === "SessionRefused"

    /** The newest continuation (`session C7`); other children are conversations of their own. */
    const newest = (session: Store.SessionRow, depth = lineage): Effect.Effect<Store.SessionRow, SqlError.SqlError> =>
      Effect.flatMap(store.children(session.id, "compression"), ([child]) =>
        child === undefined || depth === 0 ? Effect.succeed(session) : newest(child, depth - 1)
      )

    const titledHere = (asker: Asker) =>
      store.list(placeOf(asker), { titledOnly: true, query: null, limit: listedBound })

    const target = Effect.fnUntraced(function* (asker: Asker, text: string) {
      const name = Title.unwrapped(text)
      if (/^\d{1,3}$/.test(name)) {
        const listed = yield* titledHere(asker)
        const found = listed[Number(name) - 1]
        if (found === undefined) return yield* refused("out_of_range", { count: listed.length })
        return found
      }
      const byId = isUnsafe(name) ? null : yield* store.session(name)
      if (byId !== null) return isAllowed(asker, byId) ? byId : yield* refused("not_allowed")
      const title = Title.clean(name)
      const titled = title === "" ? [] : yield* store.byTitle(title)
      const matching = titled
        .filter((session) => session.title !== null && Title.numberOf(session.title, title) > 0)
        .sort((a, b) => Title.numberOf(b.title ?? "", title) - Title.numberOf(a.title ?? "", title))
      if (matching.length === 0) return yield* refused("not_found")
      return matching.find((session) => isAllowed(asker, session)) ?? (yield* refused("not_allowed"))
    })

    const described = (asker: Asker, rows: ReadonlyArray<Store.SessionRow>) =>
      Effect.forEach(rows, (row, i) =>
        Effect.gen(function* () {
          const line: Listed = {
            number: i + 1,
            sessionId: row.id,
            platform: row.platform,
            title: row.title,
            preview: yield* transcript.firstWords(row.id, previewLength),
            lastActivityAt: row.last_activity_at,
            messages: (yield* transcript.countsOf(row.id)).messages,
            isCurrent: row.id === asker.route?.sessionId
          }
          return line
        })
      )

    return {
      startFresh: Effect.fnUntraced(function* (asker, wanted) {
        const route = yield* newRoute(asker)
        const title =
          wanted === null || wanted.trim() === ""
            ? null
            : yield* usable(wanted, route.sessionId).pipe(Effect.catchIf(isRefused, (error) => Effect.succeed(error)))
        const old = asker.route
        return {
          route,
          title: typeof title === "string" ? title : null,
          titleRefused: typeof title === "string" ? null : title,
          writes: [
            ...(old === null
              ? []
              : [...old.pending, Store.closed(old.sessionId, "session_reset", asker.now, old.updatedAt)]),
            ...route.pending,
            ...(typeof title === "string" ? [Store.titled(route.sessionId, title, "user")] : [])
          ]
        }
      }),

      resume: Effect.fnUntraced(function* (asker, text) {
        yield* journal.flush
        const found = yield* newest(yield* target(asker, text))
        const old = asker.route
        if (found.id === old?.sessionId) return yield* refused("already_there")
        const { messages, userMessages } = yield* transcript.countsOf(found.id)
        if (maxResume > 0 && messages > maxResume) {
          return yield* refused("too_long", { count: messages, limit: maxResume })
        }
        const { now, sessionKey, source } = asker
        const route: Route = {
          sessionKey,
          sessionId: found.id,
          createdAt: found.started_at,
          updatedAt: Math.max(now, found.started_at + 1),
          source,
          choices: noChoices,
          lastPromptTokens: 0,
          suspended: false,
          pending: []
        }
        return {
          route,
          title: found.title,
          userMessages,
          writes: [
            ...(old === null
              ? []
              : [...old.pending, Store.closed(old.sessionId, "session_switch", now, old.updatedAt)]),
            pointed(route),
            touched(sessionKey, now),
            Store.reopened(found.id, sessionKey, source)
          ]
        }
      }),

      branch: Effect.fnUntraced(function* (asker, wanted) {
        const old = yield* existing(asker)
        const { messages } = yield* transcript.countsOf(old.sessionId)
        if (messages === 0) return yield* refused("no_history")
        const route = yield* newRoute(asker)
        let title: string
        if (wanted === null || wanted.trim() === "") {
          const base = Title.baseOf((yield* store.session(old.sessionId))?.title ?? "branch")
          const taken = (yield* store.byTitle(base)).flatMap((session) => session.title ?? [])
          title = Title.next(base, taken)
        } else {
          title = yield* usable(wanted, route.sessionId)
        }
        return {
          route,
          title,
          messages,
          writes: [
            ...old.pending,
            Store.closed(old.sessionId, "branched", asker.now, old.updatedAt),
            ...Store.opened(route, { parent: old.sessionId, kind: "branch" }),
            copied(old.sessionId, route.sessionId),
            Store.titled(route.sessionId, title, "derived")
          ]
        }
      }),

      title: ({ route }) =>
        route === null
          ? Effect.succeed(null)
          : Effect.andThen(
              journal.flush,
              Effect.map(store.session(route.sessionId), (session) => session?.title ?? null)
            ),

      setTitle: Effect.fnUntraced(function* (asker, text) {
        yield* journal.flush
        const route = yield* current(asker)
        const title = yield* usable(text, route.sessionId)
        return { route, title, writes: [...route.pending, Store.titled(route.sessionId, title, "user")] }
      }),

      undo: Effect.fnUntraced(function* (asker, turns) {
        const route = yield* existing(asker)
        const messages = yield* transcript.lastOfUser(route.sessionId, Math.max(1, Math.floor(turns)))
        const oldest = messages.at(-1)
        if (oldest === undefined) return yield* refused("no_history")
        return {
          route: { ...route, lastPromptTokens: 0 },
          turns: messages.length,
          messages: yield* transcript.countFrom(route.sessionId, oldest.id),
          text: oldest.content,
          writes: takeBack(route, oldest.id)
        }
      }),

      retry: Effect.fnUntraced(function* (asker) {
        const route = yield* existing(asker)
        const [last] = yield* transcript.lastOfUser(route.sessionId, 1)
        if (last === undefined) return yield* refused("no_history")
        return {
          route: { ...route, lastPromptTokens: 0 },
          text: last.content,
          media: yield* transcript.mediaOf(last.id),
          writes: takeBack(route, last.id)
        }
      }),

      choose: Effect.fnUntraced(function* (asker, changes) {
        const before = yield* current(asker)
        const route = { ...before, choices: { ...before.choices, ...changes } }
        return { route, writes: [...before.pending, chosen(route)] }
      }),

      compress: Effect.fnUntraced(function* (asker, summary) {
        const old = yield* existing(asker)
        const { messages } = yield* transcript.countsOf(old.sessionId)
        if (messages === 0) return yield* refused("no_history")
        const next = yield* newRoute(asker)
        const session = yield* store.session(old.sessionId)
        // No boundary: what the conversation chose for itself stays, and so does its beginning.
        const continues = old.sessionId
        const route: Route = { ...old, sessionId: next.sessionId, continues, lastPromptTokens: 0, pending: [] }
        const title = session?.title ?? null
        return {
          route,
          messages,
          writes: [
            ...old.pending,
            followed(old.sessionId, next.sessionId),
            ...Store.opened(next, { parent: old.sessionId, kind: "compression" }),
            Store.closed(old.sessionId, "compression", asker.now, old.updatedAt),
            ...(title === null ? [] : [Store.untitled(old.sessionId), Store.titled(next.sessionId, title, "user")]),
            tokensForgotten(next.sessionId),
            said({
              sessionId: next.sessionId,
              turn: null,
              ordinal: 0,
              role: "assistant",
              content: summary,
              timestamp: asker.now,
              now: asker.now,
              platformMessageId: null,
              unanswered: false
            })
          ]
        }
      }),

      list: Effect.fnUntraced(function* (asker, options) {
        yield* journal.flush
        const place = placeOf(asker)
        const rows = yield* store.list(place, options)
        if (options.query === null || rows.length >= options.limit) return yield* described(asker, rows)
        const ids = new Set(rows.map(({ id }) => id))
        const more: Array<Store.SessionRow> = []
        for (const { sessionId } of yield* index.search(place, options.query, { limit: 50, order: "relevance" })) {
          if (ids.has(sessionId) || ids.size >= options.limit) continue
          ids.add(sessionId)
          const session = yield* store.session(sessionId)
          if (session !== null && (!options.titledOnly || session.title !== null)) more.push(session)
        }
        return yield* described(asker, [...rows, ...more])
      }),

      search: (asker, query, limit) =>
        Effect.andThen(journal.flush, index.search(placeOf(asker), query, { limit, order: "relevance" })),

      summary: Effect.fnUntraced(function* ({ route }) {
        if (route === null) return null
        yield* journal.flush
        return {
          sessionId: route.sessionId,
          title: (yield* store.session(route.sessionId))?.title ?? null,
          startedAt: route.createdAt,
          lastActivityAt: route.updatedAt,
          messages: (yield* transcript.countsOf(route.sessionId)).messages,
          lastPromptTokens: route.lastPromptTokens,
          choices: route.choices
        }
      }),

      export: Effect.fnUntraced(function* (asker, format) {
        const route = yield* existing(asker)
        const { messages } = yield* transcript.countsOf(route.sessionId)
        if (messages === 0) return yield* refused("no_history")
        if (maxExport > 0 && messages > maxExport) {
          return yield* refused("too_long", { count: messages, limit: maxExport })
        }
        const session = yield* store.session(route.sessionId)
        const rows = yield* transcript.rows(route.sessionId, messages)
        return exported(format, { id: route.sessionId, title: session?.title ?? null }, rows)
      })
    }
  })
)

/** All of this room that turns and commands need, over journal and database. */
export const layer = Layer.mergeAll(plans, Routing.layer, TurnGate.layer).pipe(
  Layer.provideMerge(Layer.mergeAll(Store.SessionStore.layer, Transcript.layer, SearchIndex.layer))
)

const takeBack = (route: Route, from: number): ReadonlyArray<Write> => [
  ...route.pending,
  takenBack(route.sessionId, from),
  Store.rewound(route.sessionId),
  tokensForgotten(route.sessionId)
]

/** A conversation for people or for programs; secrets are masked (`session Z3`). */
export const exported = (
  format: "markdown" | "jsonl",
  session: { readonly id: string; readonly title: string | null },
  rows: ReadonlyArray<{ readonly role: string; readonly content: string; readonly timestamp: number }>
): string =>
  format === "jsonl"
    ? rows
        .map(({ content, role, timestamp }) =>
          JSON.stringify({ session_id: session.id, role, content: redact(content), timestamp })
        )
        .join("\n")
    : [
        `# ${session.title ?? session.id}`,
        ...rows.map(
          ({ content, role, timestamp }) =>
            `## ${role === "user" ? "User" : "Assistant"}, ${new Date(timestamp).toISOString()}\n\n${redact(content)}`
        )
      ].join("\n\n")
