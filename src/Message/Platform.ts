/** The platforms that Switchboard knows by name (`operations F8`); a registered adapter may bring others. */

export const platformNames: ReadonlyArray<string> = [
  "telegram",
  "discord",
  "whatsapp",
  "whatsapp_cloud",
  "slack",
  "signal",
  "mattermost",
  "matrix",
  "homeassistant",
  "email",
  "sms",
  "dingtalk",
  "api_server",
  "webhook",
  "msgraph_webhook",
  "feishu",
  "wecom",
  "wecom_callback",
  "weixin",
  "bluebubbles",
  "qqbot",
  "yuanbao",
  "relay"
]
