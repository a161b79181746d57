/**
 * Which server or workspace a chat belongs to, learnt from what came in (`relay O4`): the connector finds the tenant by
 * it. At most 10,000 chats; those not seen for longest go first, approximately. A stored source knows better and is asked
 * first by the caller.
 */

/** Two generations of this many chats: the older one is dropped as a whole when the younger is full. */
const generation = 5000

/** By platform, then by chat: no key has to be put together for every message. */
interface Generation {
  readonly chats: Map<string, Map<string, string>>
  size: number
}

const empty = (): Generation => ({ chats: new Map(), size: 0 })

export interface ScopeMemory {
  readonly learn: (platform: string, chatId: string, scopeId: string) => void
  readonly recall: (platform: string, chatId: string) => string | null
  readonly size: () => number
}

export const make = (): ScopeMemory => {
  let young = empty()
  let old = empty()

  const put = (platform: string, chatId: string, scopeId: string) => {
    if (young.size >= generation) {
      old = young
      young = empty()
    }
    let chats = young.chats.get(platform)
    if (chats === undefined) young.chats.set(platform, (chats = new Map()))
    if (!chats.has(chatId)) young.size++
    chats.set(chatId, scopeId)
    if (old.chats.get(platform)?.delete(chatId) === true) old.size--
  }

  return {
    learn: (platform, chatId, scopeId) => {
      if (young.chats.get(platform)?.get(chatId) !== scopeId) put(platform, chatId, scopeId)
    },
    recall: (platform, chatId) => {
      const recent = young.chats.get(platform)?.get(chatId)
      if (recent !== undefined) return recent
      const known = old.chats.get(platform)?.get(chatId)
      if (known === undefined) return null
      put(platform, chatId, known)
      return known
    },
    size: () => young.size + old.size
  }
}
