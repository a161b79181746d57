/**
 * Who was paired and who asks to be, as rows (`access P1`–`P9`): every change is one transaction, so the command line and
 * a running gateway never lose each other's. Nothing here holds a code; nothing of a stranger's message comes here.
 */
import { Clock, Effect, Schema, SchemaGetter } from "effect"
import type { SqlError } from "effect/sql"
import type { AliasLookup } from "../Message/WhatsAppIdentity.ts"
import type { Database } from "../Storage/Database.ts"
import { sanitizeText } from "../Storage/StoredText.ts"
import { principalOf } from "./Identity.ts"
import * as PairingCode from "./PairingCode.ts"

/** How long a code lives, and a lockout lasts (`access P1`, P4). */
export const codeLifetime = 3_600_000
/** A request older than this gives its place to another person (`access R9`). */
const placeKept = 600_000
/** One request per principal in this time (`access P5`). */
const requestEvery = 600_000
const maxPending = 3
const maxFailures = 5
/** Longer ids belong to nobody whom we would pair. */
const maxIdLength = 512

/** One set of pairings; `""` is the default profile. */
export interface Place {
  readonly profile: string
  readonly platform: string
}

/** A user as the store keeps him; `userName` is for people to read, never compared. */
export interface Principal extends Place {
  readonly userId: string
  readonly userName: string | null
}

export interface Pending extends Principal {
  readonly requestId: string
  readonly createdAt: number
}

export interface Approved extends Principal {
  readonly approvedAt: number
}

/** `limited`: asked within the last ten minutes, or told so then. `full`: no code can be given now. */
export type Request =
  | { readonly _tag: "Issued"; readonly code: string }
  | { readonly _tag: "Limited" }
  | { readonly _tag: "Full" }
  | { readonly _tag: "AlreadyApproved" }

export type Approval =
  | { readonly _tag: "Approved"; readonly user: Approved }
  | { readonly _tag: "NotFound"; readonly locksNow: boolean }
  | { readonly _tag: "Locked"; readonly until: number }

const Whole = Schema.Union([Schema.Number, Schema.BigInt, Schema.FiniteFromString]).pipe(
  Schema.decodeTo(Schema.Number, {
    decode: SchemaGetter.transform((value: number | bigint) => Number(value)),
    encode: SchemaGetter.transform((value: number): number | bigint => value)
  })
)
const Text = Schema.NullOr(Schema.String)
const PendingRow = Schema.Struct({
  request_id: Schema.String,
  profile: Schema.String,
  platform: Schema.String,
  user_id: Schema.String,
  user_name: Text,
  salt: Schema.String,
  hash: Schema.String,
  created_at: Whole
})
const ApprovedRow = Schema.Struct({
  profile: Schema.String,
  platform: Schema.String,
  user_id: Schema.String,
  user_name: Text,
  approved_at: Whole
})
const LimitRow = Schema.Struct({ count: Whole, at: Whole })
const AliasRow = Schema.Struct({ id: Schema.String, alias: Schema.String })

export type StoreError = SqlError.SqlError | Schema.SchemaError

export interface Store {
  /** Moves with every change of any row; how a gateway notices what the command line did. */
  readonly revision: Effect.Effect<number, StoreError>
  /** A stranger asks: a code for him, or why not (`access P3`, P5, R9). */
  readonly request: (principal: Principal) => Effect.Effect<Request, StoreError>
  /** By code, or by request id, which neither counts nor is stopped by a lockout (`access P4`, P6). */
  readonly approve: (place: Place, code: string) => Effect.Effect<Approval, StoreError>
  /** `false`: not approved under this id or an alias of it. */
  readonly revoke: (place: Place, userId: string) => Effect.Effect<boolean, StoreError>
  /** Removes pending requests, of all platforms or one; says how many. */
  readonly clear: (profile: string, platform: string | null) => Effect.Effect<number, StoreError>
  readonly pending: (profile: string) => Effect.Effect<ReadonlyArray<Pending>, StoreError>
  readonly approved: Effect.Effect<ReadonlyArray<Approved>, StoreError>
  /** Takes rows of another store over; those that are there already stay. Gives how many are new. */
  readonly adopt: (rows: {
    readonly approved: ReadonlyArray<Approved>
    readonly pending: ReadonlyArray<Pending & PairingCode.Digest>
  }) => Effect.Effect<number, StoreError>
  /** Ids of one person on a platform, in pairs (`session A3`). */
  readonly aliases: (platform: string) => Effect.Effect<ReadonlyArray<readonly [id: string, alias: string]>, StoreError>
  /** Learns such pairs; gives how many are new. */
  readonly learn: (
    platform: string,
    pairs: ReadonlyArray<readonly [id: string, alias: string]>
  ) => Effect.Effect<number, StoreError>
}

export const make = (database: Database["Service"], aliasesOf: (platform: string) => AliasLookup): Store => {
  const query = (text: string, params: ReadonlyArray<unknown> = []) => {
    let n = 0
    return database.execute(database.dialect === "pg" ? text.replaceAll("?", () => `$${++n}`) : text, params)
  }
  const select = <A>(schema: Schema.Decoder<A>) => {
    const decode = Schema.decodeUnknownEffect(Schema.Array(schema))
    return (text: string, params?: ReadonlyArray<unknown>) =>
      Effect.flatMap(query(text, params), (rows) => decode(rows))
  }
  const pendingRows = select(PendingRow)
  const approvedRows = select(ApprovedRow)
  const limitRows = select(LimitRow)
  const aliasRows = select(AliasRow)

  const principal = (place: Place, userId: string) => principalOf(place.platform, userId, aliasesOf(place.platform))
  const isSame = (place: Place, a: string, b: string) => principal(place, a) === principal(place, b)

  /** One change at a time, also between processes: whoever moves the revision first holds its row until he has committed. */
  const change = <A>(body: (now: number) => Effect.Effect<A, StoreError>) =>
    database.transaction(
      query("UPDATE access_revision SET revision = revision + 1 WHERE id = 1").pipe(
        Effect.andThen(Clock.currentTimeMillis),
        Effect.flatMap(body)
      )
    )

  const prune = (now: number) =>
    Effect.andThen(
      query("DELETE FROM pairing_pending WHERE created_at <= ?", [now - codeLifetime]),
      // Of a lockout `at` is its end, of everything else its beginning.
      query("DELETE FROM pairing_limits WHERE at <= ? AND (kind <> 'lockout' OR at <= ?)", [now - codeLifetime, now])
    )

  const limit = ({ platform, profile }: Place, kind: string, subject = "") =>
    Effect.map(
      limitRows(
        "SELECT count, at FROM pairing_limits WHERE profile = ? AND platform = ? AND kind = ? AND subject = ?",
        [profile, platform, kind, subject]
      ),
      ([row]) => row ?? null
    )

  const mark = ({ platform, profile }: Place, kind: string, subject: string, count: number, at: number) =>
    query(
      "INSERT INTO pairing_limits (profile, platform, kind, subject, count, at) VALUES (?, ?, ?, ?, ?, ?) " +
        "ON CONFLICT (profile, platform, kind, subject) DO UPDATE SET count = excluded.count, at = excluded.at",
      [profile, platform, kind, subject, count, at]
    )

  const lockedUntil = (place: Place, now: number) =>
    Effect.map(limit(place, "lockout"), (row) => (row !== null && row.at > now ? row.at : null))

  const approvedOf = ({ platform, profile }: Place) =>
    approvedRows("SELECT * FROM pairing_approved WHERE profile = ? AND platform = ?", [profile, platform])

  const pendingOf = ({ platform, profile }: Place) =>
    pendingRows("SELECT * FROM pairing_pending WHERE profile = ? AND platform = ? ORDER BY created_at", [
      profile,
      platform
    ])

  const dropPending = (requestId: string) => query("DELETE FROM pairing_pending WHERE request_id = ?", [requestId])

  const putApproved = ({ approvedAt, platform, profile, userId, userName }: Approved) =>
    query(
      "INSERT INTO pairing_approved (profile, platform, user_id, user_name, approved_at) VALUES (?, ?, ?, ?, ?) " +
        "ON CONFLICT (profile, platform, user_id) DO UPDATE SET user_name = excluded.user_name, " +
        "approved_at = excluded.approved_at",
      [profile, platform, userId, userName, approvedAt]
    )

  const dropApproved = ({ platform, profile, user_id }: typeof ApprovedRow.Type) =>
    query("DELETE FROM pairing_approved WHERE profile = ? AND platform = ? AND user_id = ?", [
      profile,
      platform,
      user_id
    ])

  const insertPending = (row: Pending & PairingCode.Digest) =>
    query(
      "INSERT INTO pairing_pending (request_id, profile, platform, user_id, user_name, salt, hash, created_at) " +
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
      [row.requestId, row.profile, row.platform, row.userId, row.userName, row.salt, row.hash, row.createdAt]
    )

  /** The place of a request that has had its time, or one that is still free. */
  const makeRoom = Effect.fnUntraced(function* (place: Place, now: number) {
    const waiting = yield* pendingOf(place)
    if (waiting.length < maxPending) return true
    const oldest = waiting[0]!
    if (now - oldest.created_at <= placeKept) return false
    yield* dropPending(oldest.request_id)
    return true
  })

  const approvedFrom = (row: typeof ApprovedRow.Type): Approved => ({
    profile: row.profile,
    platform: row.platform,
    userId: row.user_id,
    userName: row.user_name,
    approvedAt: row.approved_at
  })

  return {
    revision: Effect.map(query("SELECT revision FROM access_revision WHERE id = 1"), ([row]) =>
      Number(row?.["revision"] ?? 0)
    ),

    request: (asked) =>
      change(
        Effect.fnUntraced(function* (now) {
          const userId = principal(asked, asked.userId)
          // An id that storage would change is not stored: it would become somebody else's.
          if (userId === "" || userId.length > maxIdLength || userId !== sanitizeText(userId))
            return { _tag: "Limited" } as const
          yield* prune(now)
          const known = yield* approvedOf(asked)
          if (known.some((row) => isSame(asked, row.user_id, userId))) return { _tag: "AlreadyApproved" } as const
          const last = yield* limit(asked, "request", userId)
          if (last !== null && now - last.at < requestEvery) return { _tag: "Limited" } as const
          yield* mark(asked, "request", userId, 1, now)
          if ((yield* lockedUntil(asked, now)) !== null) return { _tag: "Full" } as const
          // A new code for the same person replaces the old one.
          for (const row of yield* pendingOf(asked)) {
            if (isSame(asked, row.user_id, userId)) yield* dropPending(row.request_id)
          }
          if (!(yield* makeRoom(asked, now))) return { _tag: "Full" } as const
          const code = PairingCode.make()
          yield* insertPending({
            profile: asked.profile,
            platform: asked.platform,
            userId,
            userName: asked.userName === null ? null : sanitizeText(asked.userName).slice(0, 200),
            requestId: PairingCode.requestId(),
            createdAt: now,
            ...PairingCode.digest(code)
          })
          return { _tag: "Issued", code } as const
        })
      ),

    approve: (place, typed) =>
      change(
        Effect.fnUntraced(function* (now) {
          yield* prune(now)
          const byId = PairingCode.isRequestId(typed)
          const until = byId ? null : yield* lockedUntil(place, now)
          if (until !== null) return { _tag: "Locked", until } as const
          const wanted = byId ? typed.trim().toLowerCase() : PairingCode.normalize(typed)
          let found: typeof PendingRow.Type | null = null
          // Every row is compared, so that the time tells nothing about which one it was.
          for (const row of yield* pendingOf(place)) {
            if (byId ? row.request_id === wanted : PairingCode.matches(wanted, row)) found = row
          }
          if (found === null) {
            if (byId) return { _tag: "NotFound", locksNow: false } as const
            const failures = ((yield* limit(place, "failures"))?.count ?? 0) + 1
            const locksNow = failures >= maxFailures
            yield* mark(place, "failures", "", locksNow ? 0 : failures, now)
            if (locksNow) yield* mark(place, "lockout", "", 1, now + codeLifetime)
            return { _tag: "NotFound", locksNow } as const
          }
          const { user_id: userId, user_name: userName } = found
          yield* dropPending(found.request_id)
          if (!byId) yield* mark(place, "failures", "", 0, now)
          for (const row of yield* approvedOf(place)) if (isSame(place, row.user_id, userId)) yield* dropApproved(row)
          const user = { ...place, userId, userName, approvedAt: now }
          yield* putApproved(user)
          return { _tag: "Approved", user } as const
        })
      ),

    revoke: (place, userId) =>
      change(
        Effect.fnUntraced(function* () {
          const rows = (yield* approvedOf(place)).filter((row) => isSame(place, row.user_id, userId))
          yield* Effect.forEach(rows, dropApproved, { discard: true })
          return rows.length > 0
        })
      ),

    clear: (profile, platform) =>
      change((now) =>
        Effect.andThen(
          prune(now),
          Effect.map(
            platform === null
              ? query("DELETE FROM pairing_pending WHERE profile = ? RETURNING request_id", [profile])
              : query("DELETE FROM pairing_pending WHERE profile = ? AND platform = ? RETURNING request_id", [
                  profile,
                  platform
                ]),
            (rows) => rows.length
          )
        )
      ),

    pending: (profile) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        Effect.map(
          pendingRows("SELECT * FROM pairing_pending WHERE profile = ? AND created_at > ? ORDER BY created_at", [
            profile,
            now - codeLifetime
          ]),
          (rows) =>
            rows.map((row) => ({
              requestId: row.request_id,
              profile: row.profile,
              platform: row.platform,
              userId: row.user_id,
              userName: row.user_name,
              createdAt: row.created_at
            }))
        )
      ),

    approved: Effect.map(approvedRows("SELECT * FROM pairing_approved ORDER BY platform, approved_at"), (rows) =>
      rows.map(approvedFrom)
    ),

    adopt: ({ approved, pending }) =>
      change(
        Effect.fnUntraced(function* (now) {
          let fresh = 0
          for (const user of approved) {
            const userId = principal(user, user.userId)
            if (userId === "" || (yield* approvedOf(user)).some((row) => isSame(user, row.user_id, userId))) continue
            yield* putApproved({ ...user, userId })
            fresh++
          }
          for (const row of pending) {
            if (now - row.createdAt >= codeLifetime) continue
            if ((yield* pendingOf(row)).length >= maxPending) continue
            yield* insertPending({ ...row, userId: principal(row, row.userId) })
            fresh++
          }
          return fresh
        })
      ),

    aliases: (platform) =>
      Effect.map(
        aliasRows("SELECT id, alias FROM identity_aliases WHERE platform = ? LIMIT 100000", [platform]),
        (rows) => rows.map(({ alias, id }) => [id, alias] as const)
      ),

    learn: (platform, pairs) =>
      change(() =>
        Effect.map(
          Effect.forEach(pairs, ([id, alias]) =>
            query(
              "INSERT INTO identity_aliases (platform, id, alias) VALUES (?, ?, ?) ON CONFLICT DO NOTHING RETURNING id",
              [platform, sanitizeText(id), sanitizeText(alias)]
            )
          ),
          (inserted) => inserted.flat().length
        )
      )
  }
}
