/**
 * The settings that more than one room or the whole process goes by (`operations`, Keys of the gateway; DESIGN, Seen
 * from outside), each named after its key. What only one room reads is declared in that room.
 */
import { Duration, Effect } from "effect"
import * as Setting from "./Setting.ts"
import { Settings } from "./Settings.ts"
import { storageChoice, type StorageChoice } from "./StorageChoice.ts"

export const HttpHost = Setting.make({
  env: "SWITCHBOARD_HTTP_HOST",
  kind: Setting.text,
  default: "127.0.0.1",
  description: "address the HTTP listener binds to"
})

export const HttpPort = Setting.make({
  env: "SWITCHBOARD_HTTP_PORT",
  kind: Setting.port,
  default: 8787,
  description: "port of the HTTP listener; 0 = any free one, printed"
})

export const Storage = Setting.make<StorageChoice>({
  env: "SWITCHBOARD_STORAGE",
  kind: Setting.coerce('"sqlite", "memory" or a URL postgres://…', storageChoice),
  default: { _tag: "sqlite" },
  description: "where inbox, outbox and transcripts are kept"
})

/** Unset, `connectorEnabled` decides. */
export const Connector = Setting.make<"on" | "off" | null>({
  env: "SWITCHBOARD_CONNECTOR",
  kind: Setting.oneOf(["on", "off"]),
  default: null,
  description: "the local connector with the web chat; on when no relay URL is set"
})

/** Unset, `agentKind` decides. */
export const Agent = Setting.make<"echo" | "openai" | "acp" | null>({
  env: "SWITCHBOARD_AGENT",
  kind: Setting.oneOf(["echo", "openai", "acp"]),
  default: null,
  description: "which agent answers; echo while nothing else is configured"
})

export const AdminKey = Setting.make({
  env: "SWITCHBOARD_ADMIN_KEY",
  kind: Setting.longSecret(16),
  default: null,
  description: "bearer for console and admin routes, 16 characters or more; without it they answer on loopback only"
})

export const McpToken = Setting.make({
  env: "SWITCHBOARD_MCP_TOKEN",
  kind: Setting.longSecret(16),
  default: null,
  description: "bearer for the tools at /mcp, 16 characters or more; without it they ask for the admin key"
})

export const LoggingLevel = Setting.make({
  key: "logging.level",
  kind: Setting.lenient(Setting.oneOf(["TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "NONE"])),
  default: "INFO",
  description: "least severe level that is written",
  live: true
})

export const LoggingFormat = Setting.make({
  key: "logging.format",
  kind: Setting.lenient(Setting.oneOf(["text", "json"])),
  default: "text",
  description: "text, or one JSON object a line"
})

export const LoggingMaxSizeMb = Setting.make({
  key: "logging.max_size_mb",
  kind: Setting.number({ min: 0.01, max: 1024 }),
  default: 5,
  description: "size at which a log file is rotated"
})

export const LoggingBackupCount = Setting.make({
  key: "logging.backup_count",
  kind: Setting.int({ min: 0, max: 100 }),
  default: 3,
  description: "rotated log files that are kept"
})

export const AgentGatewayTimeout = Setting.make({
  key: "agent.gateway_timeout",
  env: "SWITCHBOARD_AGENT_TIMEOUT",
  kind: Setting.seconds,
  default: Duration.seconds(1800),
  description: "a turn without activity for so long is stopped; 0 = never"
})

export const AgentClarifyTimeout = Setting.make({
  key: "agent.clarify_timeout",
  kind: Setting.seconds,
  default: Duration.seconds(3600),
  description: "wait for the answer to a question of the agent; 0 = no limit"
})

export const AgentRestartDrainTimeout = Setting.make({
  key: "agent.restart_drain_timeout",
  env: "SWITCHBOARD_RESTART_DRAIN_TIMEOUT",
  kind: Setting.seconds,
  default: Duration.seconds(180),
  description: "wait for running turns at a stop, before they are interrupted"
})

export const ApprovalsGatewayTimeout = Setting.make({
  key: "approvals.gateway_timeout",
  kind: Setting.seconds,
  default: Duration.seconds(300),
  description: "an approval nobody gave within it is denied; 0 = at once"
})

export const DisplayBusyInputMode = Setting.make({
  key: "display.busy_input_mode",
  env: "SWITCHBOARD_GATEWAY_BUSY_INPUT_MODE",
  kind: Setting.lenient(Setting.oneOf(["interrupt", "queue", "steer"])),
  default: "interrupt",
  description: "what a message does to a running turn",
  live: true
})

export const DisplayBusyAckEnabled = Setting.make({
  key: "display.busy_ack_enabled",
  env: "SWITCHBOARD_GATEWAY_BUSY_ACK_ENABLED",
  kind: Setting.boolean,
  default: true,
  description: "say that a message is queued or has interrupted the turn",
  live: true
})

export const BusyTextDebounce = Setting.make({
  env: "SWITCHBOARD_GATEWAY_BUSY_TEXT_DEBOUNCE_SECONDS",
  kind: Setting.seconds,
  default: Duration.millis(350),
  description: "texts of one sender that wait behind a turn and follow each other within it are joined; 0 = never"
})

export const BusyTextHardCap = Setting.make({
  env: "SWITCHBOARD_GATEWAY_BUSY_TEXT_HARD_CAP_SECONDS",
  kind: Setting.seconds,
  default: Duration.seconds(1),
  description: "longest time that joined texts may span"
})

export const BusySteerAckEnabled = Setting.make({
  key: "display.busy_steer_ack_enabled",
  env: "SWITCHBOARD_GATEWAY_BUSY_STEER_ACK_ENABLED",
  kind: Setting.boolean,
  default: true,
  description: "say that a message was handed to the running agent",
  live: true
})

export const TelegramFollowupGrace = Setting.make({
  env: "SWITCHBOARD_TELEGRAM_FOLLOWUP_GRACE_SECONDS",
  kind: Setting.seconds,
  default: Duration.seconds(3),
  description: "a message on Telegram so soon after a turn began does not interrupt it; 0 = off"
})

export const ApprovalsMode = Setting.make({
  key: "approvals.mode",
  kind: Setting.lenient(Setting.oneOf(["manual", "smart", "off"])),
  default: "manual",
  description: "manual and smart = a person is asked what the agent may do; off = everything is allowed",
  live: true
})

export const DestructiveSlashConfirm = Setting.make({
  key: "approvals.destructive_slash_confirm",
  kind: Setting.boolean,
  default: true,
  description: "ask before a command that throws a conversation away",
  live: true
})

export const AgentGatewayTimeoutWarning = Setting.make({
  key: "agent.gateway_timeout_warning",
  env: "SWITCHBOARD_AGENT_TIMEOUT_WARNING",
  kind: Setting.seconds,
  default: Duration.seconds(900),
  description: "a turn without activity for so long is announced as perhaps stuck; 0 = not"
})

export const AgentNotifyInterval = Setting.make({
  key: "agent.gateway_notify_interval",
  env: "SWITCHBOARD_AGENT_NOTIFY_INTERVAL",
  kind: Setting.seconds,
  default: Duration.seconds(180),
  description: "a long turn says that it still works, each time this has passed; 0 = never"
})

export const MaxConcurrentSessions = Setting.make({
  key: "max_concurrent_sessions",
  kind: Setting.lenient(Setting.int({ min: 0, max: 1_000_000 })),
  default: 0,
  description: "turns that run at once, as the user counts them; a further one is told to wait; 0 = no such limit"
})

export const DeliveryAmbiguous = Setting.make({
  key: "delivery.ambiguous",
  kind: Setting.oneOf(["mark", "hold"]),
  default: "mark",
  description: "a send of unknown outcome: once more under a line that says so, or held for the operator"
})

export const DeliveryMaxAgeHours = Setting.make({
  key: "delivery.max_age_hours",
  kind: Setting.number({ min: 0 }),
  default: 24,
  description: "an unsent reply older than this is given up"
})

export const DeliveryKeepDays = Setting.make({
  key: "delivery.keep_days",
  kind: Setting.number({ min: 0 }),
  default: 7,
  description: "how long finished rows are kept"
})

export const FilterSilenceNarration = Setting.make({
  key: "gateway.filter_silence_narration",
  env: "SWITCHBOARD_FILTER_SILENCE_NARRATION",
  kind: Setting.boolean,
  default: true,
  description: "an answer that only says that it says nothing (`*(silent)*`, `…`) is not sent"
})

export const DeliveryBarePaths = Setting.make({
  key: "delivery.bare_paths",
  kind: Setting.boolean,
  default: false,
  description: "a path of a file that merely stands in an answer is attached as well, not only `MEDIA:` tags"
})

export const GatewayStrict = Setting.make({
  key: "gateway.strict",
  env: "SWITCHBOARD_MEDIA_DELIVERY_STRICT",
  kind: Setting.boolean,
  default: false,
  description: "only files of the media folders, or changed within the last minutes, may leave as attachments"
})

export const MediaAllowDirs = Setting.make({
  env: "SWITCHBOARD_MEDIA_ALLOW_DIRS",
  kind: Setting.text,
  default: "",
  description: "absolute folders whose files may always leave, separated by commas or colons"
})

export const MediaTrustRecentFiles = Setting.make({
  env: "SWITCHBOARD_MEDIA_TRUST_RECENT_FILES",
  kind: Setting.boolean,
  default: true,
  description: "in strict mode, freshly changed files may leave"
})

export const MediaTrustRecentSeconds = Setting.make({
  env: "SWITCHBOARD_MEDIA_TRUST_RECENT_SECONDS",
  kind: Setting.seconds,
  default: Duration.seconds(600),
  description: "in strict mode, how fresh a file must be"
})

export const MaxInboundMediaBytes = Setting.make({
  key: "gateway.max_inbound_media_bytes",
  kind: Setting.int({ min: 0 }),
  default: 128 * 1024 * 1024,
  description: "largest file that is taken in, in bytes; 0 = no limit"
})

export const AllowPrivateUrls = Setting.make({
  key: "security.allow_private_urls",
  env: "SWITCHBOARD_ALLOW_PRIVATE_URLS",
  kind: Setting.boolean,
  default: false,
  description: "files may be fetched from private addresses; never from metadata services"
})

export const DeliverySendsInFlight = Setting.make({
  key: "delivery.sends_in_flight",
  kind: Setting.int({ min: 1, max: 100_000 }),
  default: 64,
  description: "send queues that send at once, per bot"
})

/** `streaming.mode` sets it too: `off` = false, anything else = true. `null`: the platform's own default counts. */
export const StreamingEnabled = Setting.make<boolean | null>({
  key: "streaming.enabled",
  kind: Setting.optionalBoolean,
  default: null,
  description: "show a growing preview of the answer",
  alternatives: [
    {
      key: "streaming.mode",
      kind: Setting.coerce("off, auto, draft or edit", (raw) =>
        raw === null ? null : raw !== false && !(typeof raw === "string" && /^\s*(?:off|false)\s*$/i.test(raw))
      )
    }
  ]
})

/** YAML's booleans stand for words here: false is `off`, true is `auto`. */
export const StreamingTransport = Setting.make({
  key: "streaming.transport",
  kind: Setting.lenient(Setting.oneOf(["auto", "draft", "edit", "off"])),
  default: "auto",
  description: "how a preview grows",
  alternatives: [{ key: "streaming.mode", kind: Setting.lenient(Setting.oneOf(["auto", "draft", "edit", "off"])) }]
})

export const StreamingEditInterval = Setting.make({
  key: "streaming.edit_interval",
  kind: Setting.seconds,
  default: Duration.millis(800),
  description: "least time between two edits of a preview"
})

export const StreamingBufferThreshold = Setting.make({
  key: "streaming.buffer_threshold",
  kind: Setting.int({ min: 0, max: 100_000 }),
  default: 24,
  description: "new characters that make an edit worth its while"
})

export const StreamingCursor = Setting.make({
  key: "streaming.cursor",
  kind: Setting.verbatim,
  default: " ▉",
  description: "what ends a growing preview"
})

export const GroupSessionsPerUser = Setting.make({
  key: "group_sessions_per_user",
  kind: Setting.boolean,
  default: true,
  description: "one session per participant in groups"
})

export const ThreadSessionsPerUser = Setting.make({
  key: "thread_sessions_per_user",
  kind: Setting.boolean,
  default: false,
  description: "one session per participant in threads"
})

export const GatewayMaxRunningTurns = Setting.make({
  key: "gateway.max_running_turns",
  kind: Setting.int({ min: 1, max: 1_000_000 }),
  default: 1000,
  description: "turns that run at once in this process; more wait in the inbox"
})

export const SecurityRedactSecrets = Setting.make({
  key: "security.redact_secrets",
  env: "SWITCHBOARD_REDACT_SECRETS",
  kind: Setting.boolean,
  default: true,
  description: "mask secrets in everything that leaves the process; read once at start"
})

const RelayUrl = Setting.make({
  key: "relay_url",
  env: "GATEWAY_RELAY_URL",
  kind: Setting.optionalText,
  default: null,
  description: "the connector to dial"
})

export const AcpCommand = Setting.make({
  env: "SWITCHBOARD_ACP_COMMAND",
  kind: Setting.optionalText,
  default: null,
  description: "command of an Agent Client Protocol agent"
})

export const OpenAiBaseUrl = Setting.make({
  env: "OPENAI_BASE_URL",
  kind: Setting.optionalText,
  default: null,
  description: "an OpenAI-compatible endpoint"
})

export const ProxyUrl = Setting.make({
  key: "gateway.proxy_url",
  env: "GATEWAY_PROXY_URL",
  kind: Setting.optionalText,
  default: null,
  description: "another gateway whose agent answers; takes the place of SWITCHBOARD_AGENT"
})

/** The local connector runs when asked for, else exactly when no relay URL is set. */
export const connectorEnabled = Effect.gen(function* () {
  const settings = yield* Settings
  const wanted = yield* settings.get(Connector)
  return wanted === null ? (yield* settings.get(RelayUrl)) === null : wanted === "on"
})

/** The one behind the proxy URL (`conversation X1`), the named agent, else the one that is configured, else `echo`. An API key alone may be another program's. */
export const agentKind = Effect.gen(function* () {
  const settings = yield* Settings
  if ((yield* settings.get(ProxyUrl)) !== null) return "proxy" as const
  const named = yield* settings.get(Agent)
  if (named !== null) return named
  if ((yield* settings.get(AcpCommand)) !== null) return "acp" as const
  return (yield* settings.get(OpenAiBaseUrl)) !== null ? ("openai" as const) : ("echo" as const)
})

/** For `check`, `config show` and the search for unknown keys. */
export const gatewaySettings: ReadonlyArray<Setting.Setting<unknown>> = [
  HttpHost,
  HttpPort,
  Storage,
  Connector,
  Agent,
  AdminKey,
  McpToken,
  LoggingLevel,
  LoggingFormat,
  LoggingMaxSizeMb,
  LoggingBackupCount,
  AgentGatewayTimeout,
  AgentClarifyTimeout,
  AgentRestartDrainTimeout,
  ApprovalsGatewayTimeout,
  DisplayBusyInputMode,
  DisplayBusyAckEnabled,
  BusyTextDebounce,
  BusyTextHardCap,
  BusySteerAckEnabled,
  TelegramFollowupGrace,
  ApprovalsMode,
  DestructiveSlashConfirm,
  AgentGatewayTimeoutWarning,
  AgentNotifyInterval,
  MaxConcurrentSessions,
  DeliveryAmbiguous,
  DeliveryMaxAgeHours,
  DeliveryKeepDays,
  DeliverySendsInFlight,
  FilterSilenceNarration,
  DeliveryBarePaths,
  GatewayStrict,
  MediaAllowDirs,
  MediaTrustRecentFiles,
  MediaTrustRecentSeconds,
  MaxInboundMediaBytes,
  AllowPrivateUrls,
  StreamingEnabled,
  StreamingTransport,
  StreamingEditInterval,
  StreamingBufferThreshold,
  StreamingCursor,
  GroupSessionsPerUser,
  ThreadSessionsPerUser,
  GatewayMaxRunningTurns,
  SecurityRedactSecrets
]
