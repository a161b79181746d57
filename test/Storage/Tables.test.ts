/** The tables of the message path against the three storages. */
import { layer } from "@effect/vitest"
import { inboxContract } from "./InboxContract.ts"
import { journalContract } from "./JournalContract.ts"
import { outboxContract } from "./OutboxContract.ts"
import { searchContract } from "./SearchContract.ts"
import { storages } from "./Tables.ts"
import { transcriptContract } from "./TranscriptContract.ts"

for (const [name, storage] of storages) {
  // A server and its timeouts live in real time.
  layer(storage, { excludeTestServices: true, timeout: "90 seconds" })(`${name}: Journal`, journalContract)
  layer(storage, { excludeTestServices: true, timeout: "90 seconds" })(`${name}: Inbox`, inboxContract)
  layer(storage, { excludeTestServices: true, timeout: "90 seconds" })(`${name}: Outbox`, outboxContract)
  layer(storage, { excludeTestServices: true, timeout: "90 seconds" })(`${name}: Transcript`, transcriptContract)
  layer(storage, { excludeTestServices: true, timeout: "90 seconds" })(`${name}: Search`, searchContract)
}
