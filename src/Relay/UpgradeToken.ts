/**
 * The bearer token of the WebSocket upgrade, and the signature of a delivery over plain HTTP (`relay H2`). Pure: the
 * clock is an argument. Comparison takes the same time whichever byte differs.
 */
import { createHmac, timingSafeEqual } from "node:crypto"

/** Seconds a token lives unless said otherwise. */
export const tokenLifetime = 300
/** Seconds that the two clocks of a signed delivery may differ. */
const deliverySkew = 300
/** More than any gateway id needs; a longer token is not looked at. */
const maxTokenLength = 16 * 1024

const hmac = (key: string, text: string): string => createHmac("sha256", key).update(text, "utf8").digest("hex")

/** `base64url_nopad(payload:exp:hex(HMAC_SHA256(secret, payload:exp)))`; a lifetime of 0 or less never expires. */
export const mint = (payload: string, secret: string, nowSeconds: number, lifetime: number = tokenLifetime): string => {
  const signed = `${payload}:${lifetime > 0 ? Math.floor(nowSeconds) + lifetime : 0}`
  return Buffer.from(`${signed}:${hmac(secret, signed)}`, "utf8").toString("base64url")
}

/** The payload of a genuine, unexpired token signed by any of `secrets` (rotation), else `null`. Empty secrets sign nothing. */
export const verify = (token: string, secrets: ReadonlyArray<string>, nowSeconds: number): string | null => {
  if (token.length > maxTokenLength) return null
  // Padding may stand; apart from it only the one canonical spelling is read.
  const unpadded = token.replace(/=+$/, "")
  const bytes = Buffer.from(unpadded, "base64url")
  if (bytes.toString("base64url") !== unpadded) return null
  const text = bytes.toString("utf8")
  const signatureAt = text.lastIndexOf(":")
  const expiryAt = text.lastIndexOf(":", signatureAt - 1)
  if (signatureAt < 0 || expiryAt < 0) return null
  const expiry = unixSeconds(text.slice(expiryAt + 1, signatureAt))
  if (expiry === null || !isSignedBy(secrets, text.slice(0, signatureAt), text.slice(signatureAt + 1))) return null
  return expiry !== 0 && nowSeconds > expiry ? null : text.slice(0, expiryAt)
}

/** Whether `signature` is that of `timestamp.body` by any of `keys`, at most 300 s off our clock. */
export const verifyDelivery = (
  delivery: { readonly body: string; readonly timestamp: string | null; readonly signature: string | null },
  keys: ReadonlyArray<string>,
  nowSeconds: number
): boolean => {
  const at = delivery.timestamp === null ? null : unixSeconds(delivery.timestamp)
  return (
    at !== null &&
    delivery.signature !== null &&
    Math.abs(nowSeconds - at) <= deliverySkew &&
    isSignedBy(keys, `${delivery.timestamp}.${delivery.body}`, delivery.signature)
  )
}

const unixSeconds = (text: string): number | null => (/^\d{1,15}$/.test(text) ? Number(text) : null)

const isSignedBy = (secrets: ReadonlyArray<string>, text: string, signature: string): boolean => {
  if (!/^[0-9a-f]{64}$/i.test(signature)) return false
  const given = Buffer.from(signature, "hex")
  let matches = false
  for (const secret of secrets) {
    if (secret === "") continue
    // Every secret is tried, so that the time does not tell which one fits.
    matches = timingSafeEqual(given, Buffer.from(hmac(secret, text), "hex")) || matches
  }
  return matches
}
