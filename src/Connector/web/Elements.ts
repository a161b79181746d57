/**
 * The elements of `index.html` by their ids, checked once: a page whose HTML and code do not fit fails at its start.
 */

const byId = <E extends HTMLElement>(id: string, kind: new () => E): E => {
  const element = document.getElementById(id)
  if (element instanceof kind) return element
  throw new Error(`index.html has no ${kind.name} with the id ${id}`)
}

export const elements = {
  sidebar: byId("sidebar", HTMLElement),
  openSidebar: byId("open-sidebar", HTMLButtonElement),
  closeSidebar: byId("close-sidebar", HTMLButtonElement),
  shade: byId("shade", HTMLDivElement),
  newChat: byId("new-chat", HTMLButtonElement),
  chats: byId("chats", HTMLUListElement),
  link: byId("link", HTMLParagraphElement),
  title: byId("title", HTMLHeadingElement),
  rename: byId("rename", HTMLButtonElement),
  renameForm: byId("rename-form", HTMLFormElement),
  renameInput: byId("rename-input", HTMLInputElement),
  banner: byId("banner", HTMLDivElement),
  scroll: byId("scroll", HTMLDivElement),
  earlier: byId("earlier", HTMLButtonElement),
  empty: byId("empty", HTMLElement),
  examples: byId("examples", HTMLUListElement),
  log: byId("log", HTMLDivElement),
  typing: byId("typing", HTMLDivElement),
  toEnd: byId("to-end", HTMLButtonElement),
  composer: byId("composer", HTMLFormElement),
  message: byId("message", HTMLTextAreaElement),
  stop: byId("stop", HTMLButtonElement),
  send: byId("send", HTMLButtonElement),
  hint: byId("hint", HTMLParagraphElement)
} as const

/** An element with a class and, where given, a text; never HTML. */
export const create = <K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className: string,
  text?: string
): HTMLElementTagNameMap[K] => {
  const element = document.createElement(tag)
  if (className !== "") element.className = className
  if (text !== undefined) element.textContent = text
  return element
}
