/**
 * Tells the chats whose tasks still run that the gateway goes down (`conversation D2`): once per chat and thread, and not
 * where the platform's notices are switched off. It only says so; what becomes of the tasks is decided elsewhere.
 */
import { Context, Effect, Layer } from "effect"
import * as Setting from "../Config/Setting.ts"
import { Settings } from "../Config/Settings.ts"
import { queueOf } from "../Delivery/Reply.ts"
import type { InboxRow } from "../Storage/Inbox.ts"
import * as Texts from "./Texts.ts"
import { Voice } from "./Voice.ts"

const notifies = (platform: string) =>
  Setting.make({
    key: `platforms.${platform}.gateway_restart_notification`,
    kind: Setting.boolean,
    default: true,
    description: `say on ${platform} that the gateway goes down while a task runs`
  })

export class Farewell extends Context.Service<
  Farewell,
  { readonly tell: (running: ReadonlyArray<InboxRow>) => Effect.Effect<void> }
>()("Conversation/Farewell") {
  static readonly layer = Layer.effect(
    Farewell,
    Effect.gen(function* () {
      const settings = yield* Settings
      const voice = yield* Voice

      const tellOne = Effect.fnUntraced(
        function* (row: InboxRow) {
          if (!(yield* settings.get(notifies(row.event.source.platform)))) return
          const occasion = voice.occasion(row, `farewell:${row.id}:${row.starts}`)
          yield* voice.say(occasion, { kind: "notice", text: Texts.goingDown, replyTo: null, notify: false })
        },
        Effect.catch((error) => Effect.logWarning("a chat was not told of the end", error.message))
      )

      return {
        tell: (running) => {
          const chats = new Map<string, InboxRow>()
          for (const row of running) chats.set(`${row.link} ${queueOf(voice.occasion(row, "").target)}`, row)
          return Effect.forEach(chats.values(), tellOne, { discard: true, concurrency: "unbounded" })
        }
      }
    })
  )
}
