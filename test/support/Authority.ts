/**
 * A private certificate authority and a certificate for the loopback signed by it, kept as files: good for a hundred years,
 * known to nobody but these tests, and made without any tool of the machine.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"

export interface Authority {
  /** PEM file of the authority's own certificate. */
  readonly caFile: string
  readonly key: string
  readonly cert: string
}

const at = (name: string) => join(import.meta.dirname, "../fixtures/tls", name)

export const authority: Authority = {
  caFile: at("ca.pem"),
  key: readFileSync(at("server.key"), "utf8"),
  cert: readFileSync(at("server.pem"), "utf8")
}
