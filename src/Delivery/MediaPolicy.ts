/**
 * Which files may leave (`delivery P1`–`P5`). Pure over a path whose links are resolved and the facts of the open file;
 * what it refuses leaves by no other name, for the name is judged where it really leads.
 */
import path from "node:path"

export interface MediaRules {
  /** Home of the user the process runs as. */
  readonly userHome: string
  /** `SWITCHBOARD_HOME`. */
  readonly home: string
  readonly allowed: ReadonlyArray<string>
  readonly strict: boolean
  /** In strict mode a file changed within so many milliseconds may leave; 0 = none. */
  readonly trustRecent: number
}

export interface FileFacts {
  /** Absolute, links resolved. */
  readonly path: string
  readonly modified: number
  /** Its first bytes. */
  readonly head: Uint8Array
}

export type Refusal = "not allowed to leave" | "holds a private key" | "strict mode: not changed lately"

const systemRoots = "/etc /proc /sys /dev /root /boot /var/log /var/lib /var/run /run".split(" ")
const userRoots = ".ssh .aws .gnupg .kube .docker .config .azure .gcloud Library/Keychains".split(" ")
const homeFiles = (
  ".env config.yaml auth.json auth.lock credentials .anthropic_oauth.json google_token.json google_oauth_pending.json " +
  "auth/google_oauth.json webhook_subscriptions.json cache/bws_cache.json pairing profiles backups"
).split(" ")
const mediaFolders = "images audio videos documents image_cache audio_cache video_cache document_cache".split(" ")
const keyNames = /^(?:id_rsa|id_ed25519|id_ecdsa|id_dsa).*$|\.pem$|^switchboard\.db|^\.env(?:\..*)?$/

const isIn = (file: string, folder: string): boolean =>
  file === folder || file.startsWith(folder.endsWith(path.sep) ? folder : folder + path.sep)

/** Folders whose files always leave: what came in, and what the operator named. */
export const isAlwaysAllowed = (file: string, { allowed, home }: MediaRules): boolean =>
  mediaFolders.some((folder) => isIn(file, path.join(home, "cache", folder)) || isIn(file, path.join(home, folder))) ||
  allowed.some((folder) => path.isAbsolute(folder) && isIn(file, path.normalize(folder)))

const isDenied = (file: string, { home, userHome }: MediaRules): boolean => {
  if (keyNames.test(path.basename(file))) return true
  if (homeFiles.some((name) => isIn(file, path.join(home, name)))) return true
  if (userRoots.some((name) => isIn(file, path.join(userHome, name)))) return true
  // A service user's home may lie below such a root (`/root`, `/var/lib/…`): what is its own is judged by the names above.
  const isOwn = (userHome !== "/" && isIn(file, userHome)) || isIn(file, home)
  return !isOwn && systemRoots.some((root) => isIn(file, root))
}

const isKey = (head: Uint8Array): boolean =>
  /^(?:\ufeff)?\s*-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/.test(Buffer.from(head).toString("utf8"))

/** `null`: it may leave. */
export const refusal = (facts: FileFacts, rules: MediaRules, now: number): Refusal | null => {
  if (isKey(facts.head)) return "holds a private key"
  const isTrusted = isAlwaysAllowed(facts.path, rules)
  if (!isTrusted && isDenied(facts.path, rules)) return "not allowed to leave"
  if (isTrusted || !rules.strict) return null
  return rules.trustRecent > 0 && now - facts.modified <= rules.trustRecent ? null : "strict mode: not changed lately"
}

/** For a log line: control characters replaced, 200 characters. */
export const loggable = (file: string): string =>
  Array.from(file.replaceAll(/[\x00-\x1f\x7f-\x9f]/g, "\ufffd"))
    .slice(0, 200)
    .join("")
