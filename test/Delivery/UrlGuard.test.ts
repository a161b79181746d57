import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { check, judge, shown } from "../../src/Delivery/UrlGuard.ts"

const strict = { allowPrivate: false }
const open = { allowPrivate: true }
const resolving = (names: Readonly<Record<string, ReadonlyArray<string>>>) => (host: string) =>
  host in names ? Promise.resolve(names[host]!) : Promise.reject(new Error("no such host"))

describe("UrlGuard", () => {
  const verdicts = {
    public: ["93.184.215.14", "1.1.1.1", "2606:4700:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"],
    private: [
      "127.0.0.1",
      "127.255.0.9",
      "0.0.0.0",
      "10.0.0.1",
      "172.16.0.1",
      "172.31.255.255",
      "192.168.1.1",
      "100.64.0.1",
      "100.127.255.254",
      "192.0.2.1",
      "198.18.0.1",
      "203.0.113.9",
      "224.0.0.1",
      "240.0.0.1",
      "255.255.255.255",
      "::1",
      "::",
      "::ffff:127.0.0.1",
      "::ffff:7f00:1",
      "::ffff:10.1.2.3",
      "::127.0.0.1",
      "64:ff9b::a00:1",
      "2002:7f00:1::",
      "fc00::1",
      "fd12:3456::1",
      "fe80::1",
      "fe80::1%eth0",
      "ff02::1",
      "2001:db8::1",
      "100::1",
      "no address"
    ],
    metadata: [
      "169.254.169.254",
      "169.254.170.2",
      "::ffff:169.254.169.254",
      "::ffff:a9fe:a9fe",
      "fd00:ec2::254",
      "100.100.100.200"
    ]
  }
  for (const [verdict, addresses] of Object.entries(verdicts)) {
    it(`${verdict}: ${addresses.join(", ")}`, () => {
      for (const address of addresses) assert.strictEqual(judge(address), verdict, address)
    })
  }

  it.prop("no IPv4 address of a private network passes in any IPv6 dress", [Schema.Int, Schema.Int], ([a, b]) => {
    const [high, low] = [Math.abs(a) % 65536, Math.abs(b) % 65536]
    const hex = (n: number) => n.toString(16)
    for (const first of [0x0a00 + (high & 0xff), 0x7f00 + (high & 0xff), 0xc0a8, 0xa9fe]) {
      for (const dress of [
        `::ffff:${hex(first)}:${hex(low)}`,
        `::${hex(first)}:${hex(low)}`,
        `64:ff9b::${hex(first)}:${hex(low)}`
      ]) {
        assert.notStrictEqual(judge(dress), "public", dress)
      }
    }
  })

  const refused = (url: string, policy: { readonly allowPrivate: boolean }, names = {}) =>
    Effect.map(Effect.flip(check(url, policy, resolving(names))), ({ reason }) => reason)

  it.effect("refuses other schemes, numbers in disguise, private and unresolved names", () =>
    Effect.gen(function* () {
      for (const [url, reason] of [
        ["file:///etc/passwd", "Scheme"],
        ["gopher://1.1.1.1/", "Scheme"],
        ["no url", "BadUrl"],
        ["http://2130706433/", "Private"],
        ["http://0x7f.1/", "Private"],
        ["http://017700000001/", "Private"],
        ["http://127.1/", "Private"],
        ["http://[::ffff:127.0.0.1]/", "Private"],
        ["http://localhost./", "Private"],
        ["http://inner.example/", "Private"],
        ["http://gone.example/", "Unresolved"],
        ["http://METADATA.google.internal/computeMetadata/v1/", "Metadata"]
      ] as const) {
        const names = { localhost: ["127.0.0.1"], "inner.example": ["1.1.1.1", "10.0.0.7"] }
        assert.strictEqual(yield* refused(url, strict, names), reason, url)
      }
    })
  )

  it.effect("one bad answer among good ones refuses the host, and what passes is the address to connect to", () =>
    Effect.gen(function* () {
      const names = { "good.example": ["1.1.1.1", "2606:4700:4700::1111"] }
      const { address, family } = yield* check("https://good.example/a", strict, resolving(names))
      assert.deepStrictEqual([address, family], ["1.1.1.1", 4])
    })
  )

  it.effect("opens private networks on request and for the trusted peer, metadata services never", () =>
    Effect.gen(function* () {
      const names = { "files.lan": ["10.0.0.7"], "meta.lan": ["169.254.169.254"] }
      assert.strictEqual((yield* check("http://files.lan/", open, resolving(names))).address, "10.0.0.7")
      const trusting = { allowPrivate: false, trustedOrigin: "http://files.lan" }
      assert.strictEqual((yield* check("http://files.lan/x", trusting, resolving(names))).address, "10.0.0.7")
      assert.strictEqual(
        (yield* Effect.flip(check("http://files.lan:81/x", trusting, resolving(names)))).reason,
        "Private"
      )
      assert.strictEqual(yield* refused("http://meta.lan/", open, names), "Metadata")
      assert.strictEqual(yield* refused("http://169.254.169.254/", open), "Metadata")
    })
  )

  it("shows an address without user, query and fragment", () => {
    assert.strictEqual(shown("https://me:pw@h.example:81/a/b/c.png?token=s#f"), "https://h.example:81/…/c.png")
    assert.strictEqual(shown("https://h.example/c.png"), "https://h.example/c.png")
    assert.isAtMost(Array.from(shown(`https://h.example/${"x".repeat(200)}`)).length, 80)
  })
})
