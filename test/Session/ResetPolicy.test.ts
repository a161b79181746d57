import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Source from "../../src/Message/Source.ts"
import * as LocalTime from "../../src/Session/LocalTime.ts"
import * as ResetPolicy from "../../src/Session/ResetPolicy.ts"

const hour = 3_600_000
const berlin = "Europe/Berlin"
const zones = [
  "UTC",
  berlin,
  "America/New_York",
  "Australia/Lord_Howe",
  "Asia/Kathmandu",
  "Asia/Beirut",
  "Pacific/Apia"
]
const policy = (mode: ResetPolicy.ResetPolicy["mode"], more: Partial<ResetPolicy.ResetPolicy> = {}) => ({
  ...ResetPolicy.builtIn,
  mode,
  ...more
})
const at = (iso: string) => Date.parse(iso)

describe("the latest full hour on the wall", () => {
  it("is the next valid time where daylight saving takes the hour away, the first where it gives it twice", () => {
    for (const [now, hourOfDay, expected] of [
      // 29 March 2026: 02:00 becomes 03:00; 25 October: 03:00 becomes 02:00.
      ["2026-03-29T00:59:59Z", 2, "2026-03-28T01:00:00Z"],
      ["2026-03-29T01:00:00Z", 2, "2026-03-29T01:00:00Z"],
      ["2026-03-29T01:59:59Z", 4, "2026-03-28T03:00:00Z"],
      ["2026-03-29T02:00:00Z", 4, "2026-03-29T02:00:00Z"],
      ["2026-10-25T00:00:00Z", 2, "2026-10-25T00:00:00Z"],
      ["2026-10-25T01:30:00Z", 2, "2026-10-25T00:00:00Z"],
      ["2026-10-25T02:59:59Z", 4, "2026-10-24T02:00:00Z"],
      ["2026-10-25T03:00:00Z", 4, "2026-10-25T03:00:00Z"]
    ] as const) {
      assert.strictEqual(
        new Date(LocalTime.latestHour(at(now), hourOfDay, berlin)).toISOString().replace(".000", ""),
        expected
      )
    }
  })

  it.prop(
    "is never after now, at most 26 hours before it, and never goes back as time passes",
    [
      Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 4_000_000_000 })),
      Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 23 })),
      Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: zones.length - 1 })),
      Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 48 * 3600 }))
    ],
    ([seconds, hourOfDay, zone, later]) => {
      const now = seconds * 1000
      const found = LocalTime.latestHour(now, hourOfDay, zones[zone]!)
      assert.isAtMost(found, now)
      // Samoa left a day out in 2011.
      assert.isAtLeast(found, now - (zones[zone] === "Pacific/Apia" ? 50 : 26) * hour)
      assert.isAtLeast(LocalTime.latestHour(now + later * 1000, hourOfDay, zones[zone]!), found)
    }
  )

  it("is written as people read it", () => {
    assert.match(LocalTime.format(at("2026-04-28T11:40:53Z"), berlin), /^Tue 2026-04-28 13:40:53 (CEST|GMT\+2)$/)
    assert.isFalse(LocalTime.isZone("Nowhere/Town"))
  })
})

describe("a reset policy", () => {
  it("tests idle first, then the day; `none` never ends anything", () => {
    const noon = at("2026-05-05T10:00:00Z")
    const cases: ReadonlyArray<readonly [ResetPolicy.ResetPolicy["mode"], number, "idle" | "daily" | null]> = [
      ["none", noon - 10_000 * hour, null],
      ["idle", noon - 24 * hour, null],
      ["idle", noon - 24 * hour - 1, "idle"],
      ["daily", noon - 7 * hour, null],
      ["daily", noon - 9 * hour, "daily"],
      ["both", noon - 9 * hour, "daily"],
      ["both", noon - 25 * hour, "idle"]
    ]
    for (const [mode, last, expected] of cases) {
      assert.strictEqual(ResetPolicy.expiry(policy(mode), last, noon, berlin), expected, `${mode} ${noon - last}`)
    }
  })

  it("of the platform wins over that of the kind of chat, which wins over the default", () => {
    const policies = {
      general: policy("none"),
      byType: { group: policy("daily") },
      byPlatform: { slack: policy("idle") }
    }
    const of = (platform: string, chatType: string) =>
      ResetPolicy.policyOf(policies, Source.make({ platform, chatId: "1", chatType })).mode
    assert.deepStrictEqual([of("slack", "group"), of("x", "group"), of("x", "dm")], ["idle", "daily", "none"])
    assert.strictEqual(ResetPolicy.shortestSilence(policies), 0)
    assert.isNull(ResetPolicy.shortestSilence({ ...policies, byType: {}, byPlatform: {} }))
  })

  it("announces a stop always, a timed reset only when there was something to lose and the platform wants it", () => {
    const announced = (reason: "suspended" | "idle", hadActivity: boolean, platform = "x", more = {}) =>
      ResetPolicy.isAnnounced(policy("idle", more), { reason, hadActivity }, platform)
    assert.isTrue(announced("suspended", false, "webhook", { notify: false }))
    assert.isTrue(announced("idle", true))
    assert.isFalse(announced("idle", false))
    assert.isFalse(announced("idle", true, "webhook"))
    assert.isFalse(announced("idle", true, "x", { notify: false }))
  })
})
