/** A private certificate authority of this test run, and a certificate for the loopback signed by it (made by openssl). */
import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, type Scope } from "effect"

export interface Authority {
  /** PEM file of the authority's own certificate. */
  readonly caFile: string
  readonly key: string
  readonly cert: string
}

const extensions = "subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n"

const make = (folder: string): Authority => {
  const at = (name: string) => join(folder, name)
  const openssl = (...args: ReadonlyArray<string>) => execFileSync("openssl", args, { cwd: folder, stdio: "ignore" })
  writeFileSync(at("server.ext"), extensions)
  const subject = (name: string) => ["-subj", `/CN=${name}`]
  const ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
  openssl("req", "-x509", ...ec, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", ...subject("Test authority"))
  openssl("req", ...ec, "-keyout", "server.key", "-out", "server.csr", ...subject("localhost"))
  const signing = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "server.ext"]
  openssl("x509", "-req", "-in", "server.csr", ...signing, "-out", "server.pem")
  return {
    caFile: at("ca.pem"),
    key: readFileSync(at("server.key"), "utf8"),
    cert: readFileSync(at("server.pem"), "utf8")
  }
}

/** Its files are removed with the scope. */
export const authority: Effect.Effect<Authority, never, Scope.Scope> = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "switchboard-ca-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  ),
  make
)
