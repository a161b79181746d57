/** How commands are typed on a platform, for texts that say what to type (`commands N2`, M1). */
import { typesBang } from "../SlashCommand.ts"
import { telegramName } from "./Menus.ts"
import { find } from "./Registry.ts"

/** Every mention of a command of ours, in the form in which it can be typed there. */
export const asTyped = (text: string, platform: string): string => {
  const isTelegram = platform === "telegram"
  if (!isTelegram && !typesBang(platform)) return text
  return text.replaceAll(/(^|[\s("“])\/([a-z][a-z-]*)(?![\w/.-])/g, (all, before: string, name: string) =>
    find(name) === null ? all : `${before}${isTelegram ? `/${telegramName(name)}` : `!${name}`}`
  )
}
