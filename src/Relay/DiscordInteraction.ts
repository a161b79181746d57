/**
 * A Discord interaction, forwarded without its token, as a message of ours (`relay P2`): a command as `/name option: value`,
 * a press as the button's id, a form as its fields. Pure; what is no interaction is refused as a whole.
 */
import type { Media, MessageEvent } from "../Message/MessageEvent.ts"
import * as Source from "../Message/Source.ts"
import { argumentsOption } from "./CommandManifest.ts"

/** How the reply to an interaction is sent (`relay P3`). */
export const followUpKind = "discord.interaction_token"

export interface Interaction {
  readonly event: MessageEvent
  readonly isBot: boolean
  /** A ping or the completion of a half-typed option: answered by the connector, and nothing that anybody said. */
  readonly isNothing: boolean
}

const types = { ping: 1, command: 2, component: 3, autocomplete: 4 } as const

type Json = { readonly [key: string]: unknown }
const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value)
const objectOf = (value: unknown): Json => (isObject(value) ? value : {})
const listOf = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])

/** Ids may come as numbers; nothing, 0, false and "" are no id. */
const idOf = (value: unknown): string | null =>
  typeof value === "string" && value !== "" ? value : typeof value === "number" && value !== 0 ? String(value) : null

/** A text, a number that lost no digit, or nothing; anything else is no id and no name. */
const isReadable = (value: unknown): boolean =>
  !value || typeof value === "string" || (typeof value === "number" && Math.abs(value) <= Number.MAX_SAFE_INTEGER)

const textOf = (value: unknown): string => idOf(value) ?? ""

const parse = (body: Uint8Array): Json | null => {
  try {
    // A byte order mark is no JSON.
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body))
    return isObject(value) ? value : null
  } catch {
    return null
  }
}

const maxDepth = 4

const valueOf = (value: unknown): string =>
  typeof value === "boolean" ? String(value) : textOf(value) || String(value)

/** Options as people would type them; a subcommand is a word, ours alone is everything after the name. */
const options = (given: unknown, depth = 0): ReadonlyArray<string> =>
  depth > maxDepth
    ? []
    : listOf(given).flatMap((option): ReadonlyArray<string> => {
        const { name, options: nested, value } = objectOf(option)
        if (typeof name !== "string") return []
        if (value === undefined || value === null) return [name, ...options(nested, depth + 1)]
        return [name === argumentsOption ? valueOf(value) : `${name}: ${valueOf(value)}`]
      })

/** The label may stand around its field. */
const fields = (given: unknown, depth = 0, around = ""): ReadonlyArray<string> =>
  depth > maxDepth
    ? []
    : listOf(given).flatMap((component): ReadonlyArray<string> => {
        const { component: inner, components, custom_id, label, value, values } = objectOf(component)
        const said = typeof value === "string" ? value : listOf(values).map(valueOf).join(", ")
        const name = textOf(label) || around || textOf(custom_id)
        return said !== "" && name !== ""
          ? [`${name}: ${said}`]
          : [...fields(components, depth + 1), ...fields(inner === undefined ? [] : [inner], depth + 1, textOf(label))]
      })

const press = /^hp1:([\w.-]{1,32}):([\w.-]{1,32})$/

const promptResponse = (customId: string, interaction: Json): MessageEvent["promptResponse"] => {
  const token = press.exec(customId)
  return token === null
    ? null
    : {
        promptId: token[1]!,
        optionId: token[2]!,
        label: null,
        promptMessageId: idOf(objectOf(interaction.message).id)
      }
}

const kindOf = (mime: string): string => {
  const [family] = mime.split("/")
  return family === "image" || family === "audio" || family === "video" ? family : "document"
}

/** Files that were given as an option. */
const attachments = (data: Json): ReadonlyArray<Media> =>
  Object.values(objectOf(objectOf(data.resolved).attachments)).flatMap((given) => {
    const { content_type, filename, size, url } = objectOf(given)
    if (typeof url !== "string") return []
    const mime = typeof content_type === "string" ? content_type : null
    return [
      {
        ref: url,
        kind: kindOf(mime ?? ""),
        mime,
        size: typeof size === "number" ? size : null,
        filename: typeof filename === "string" ? filename : null,
        caption: null
      }
    ]
  })

const sourceOf = (interaction: Json, user: Json, platform: string, profile: string | null) => {
  const guild = idOf(interaction.guild_id)
  return Source.make({
    platform,
    chatId: textOf(interaction.channel_id),
    chatType: guild === null ? "dm" : "channel",
    userId: idOf(user.id),
    userName: idOf(user.username),
    scopeId: guild,
    messageId: idOf(interaction.id),
    profile
  })
}

const textFor = (type: unknown, data: Json): string => {
  switch (type) {
    case types.command: {
      const name = textOf(data.name)
      // Chosen from the menu of a person or of a message.
      const target = idOf(data.target_id)
      return name === ""
        ? ""
        : [`/${name}`, ...options(data.options), ...(target === null ? [] : [`target: ${target}`])].join(" ")
    }
    case types.component:
      return textOf(data.custom_id)
    default:
      return fields(data.components).join("\n")
  }
}

/** `null`: the body is no interaction. `platform`: as messages of the same channel name it, so that sessions are shared. */
export const decode = (body: Uint8Array, platform: string, profile: string | null = null): Interaction | null => {
  const interaction = parse(body)
  if (interaction === null) return null
  const { data, member, type, user: author } = interaction
  // Nothing at all is no data; anything else that is no object cannot be read.
  if (data && !isObject(data)) return null
  const given = objectOf(data)
  const membership = objectOf(member).user
  const user = isObject(membership) && Object.keys(membership).length > 0 ? membership : objectOf(author)
  const names = [given.name, given.custom_id, interaction.channel_id, interaction.guild_id, interaction.id]
  if (![...names, user.id, user.username].every(isReadable)) return null
  const source = sourceOf(interaction, user, platform, profile)
  return {
    isNothing: type === types.ping || type === types.autocomplete,
    isBot: user.bot === true,
    event: {
      text: textFor(type, given),
      type: "text",
      source,
      // It is no message that could be replied to; the source holds its id (`relay P2`).
      messageId: null,
      replyTo: null,
      media: attachments(given),
      context: [],
      promptResponse: type === types.component ? promptResponse(textOf(given.custom_id), interaction) : null,
      isEdit: false,
      timestamp: null,
      followUp: followUpKind
    }
  }
}
