/** Which topic is run by what. A new topic is one line here and one `Topic` beside it; files without a line are listed. */
import * as Conversation from "./ConversationTopics.ts"
import * as Delivery from "./DeliveryTopics.ts"
import * as Relay from "./RelayTopics.ts"
import * as Session from "./SessionTopics.ts"
import type { Topic } from "./Topic.ts"

export const topics: Readonly<Record<string, Topic>> = {
  session_key: Session.sessionKey,
  session_source: Session.sessionSource,
  whatsapp_identity: Session.whatsappIdentity,
  session_pii: Session.sessionPii,
  command_parse: Conversation.commandParse,
  command_resolve: Conversation.commandResolve,
  pending_merge: Conversation.pendingMerge,
  slash_access: Conversation.slashAccess,
  delivery_target: Delivery.deliveryTarget,
  media_extract: Delivery.mediaExtract,
  display_setting: Delivery.displaySetting,
  runtime_footer: Delivery.runtimeFooter,
  silence_filter: Session.silenceFilter,
  send_error_class: Session.sendErrorClass,
  relay_len_unit: Session.lengthUnit,
  relay_dial_url: Relay.relayDialUrl,
  relay_auth_token: Relay.relayAuthToken,
  relay_descriptor: Relay.relayDescriptor,
  relay_event_from_wire: Relay.relayEventFromWire,
  relay_passthrough: Relay.relayPassthrough,
  relay_discord_interaction: Relay.relayDiscordInteraction
}
