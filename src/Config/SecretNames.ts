/**
 * Which names announce a secret (`operations Z3`): `API_KEY`, `db.password`, `clientSecret`; not `KEYBOARD`, `author`,
 * `tokenizer`. Names only; values are the scanner's matter.
 */
const WORDS = new Set([
  "key",
  "token",
  "secret",
  "password",
  "passwd",
  "pass",
  "pw",
  "credential",
  "credentials",
  "auth",
  "passphrase",
  "apikey",
  "secrets",
  "passwords"
])
/** Written together with other words (`PGPASSWORD`, `accesstoken`) these still are secrets. */
const ENDINGS = /(?:password|passwd|passphrase|secret|token|apikey)$/
const HINT = /key|token|secret|pass|pw|cred|auth/i
/** Keys that identify, not open: masking them would blind every log line about a session. */
const IDENTIFIERS = new Set(["row_key", "session_key", "idempotency_key", "dedup_key", "public_key", "key_id"])

const MOST = 2048
const verdicts = new Map<string, boolean>()

const decide = (name: string): boolean => {
  if (!HINT.test(name)) return false
  const words = name
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .toLowerCase()
    .split(/[_.\-$]+/)
    .filter((word) => word !== "")
  if (IDENTIFIERS.has(words.slice(-2).join("_"))) return false
  return words.some((word) => WORDS.has(word) || ENDINGS.test(word))
}

/** Remembers its verdicts, so that a long line of assignments costs one look-up each. */
export const isSecretName = (name: string): boolean => {
  const known = verdicts.get(name)
  if (known !== undefined) return known
  const verdict = decide(name)
  if (verdicts.size >= MOST) verdicts.clear()
  verdicts.set(name, verdict)
  return verdict
}

const FORM_FIELDS =
  "access_token refresh_token id_token token api_key apikey client_secret password auth jwt session secret key code " +
  "signature x-amz-signature"

/** The fields of a form body whose values are secrets (`operations Z3`): name and mark, then the value. */
export const SECRET_FIELD = new RegExp(`((?:^|&)(?:${FORM_FIELDS.replaceAll(" ", "|")})=)[^&]+`, "gi")
