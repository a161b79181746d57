/**
 * Markdown of an answer as HTML: no raw HTML, no images from elsewhere, no link that runs code. `update` changes only the
 * blocks of a bubble that differ, so that a growing answer does not flicker and a selection survives.
 */
import MarkdownIt from "./markdown-it.mjs"

const markdown = new MarkdownIt({ html: false, linkify: true, breaks: true, typographer: false })

/** What a link may start with; everything else is shown as text. */
const safeLink = /^(?:https?:|mailto:|tel:|\/(?!\/)|#)/i
markdown.validateLink = (url) => safeLink.test(url.trim())

const { rules } = markdown.renderer
const escape = markdown.utils.escapeHtml

rules["link_open"] = (tokens, index, options, _env, self) => {
  const token = tokens[index]!
  token.attrSet("target", "_blank")
  token.attrSet("rel", "noopener noreferrer nofollow")
  return self.renderToken(tokens, index, options)
}

// The page loads nothing from elsewhere: an image is a link to it.
rules["image"] = (tokens, index) => {
  const token = tokens[index]!
  const source = String(token.attrGet("src") ?? "")
  const label = token.content === "" ? source : token.content
  return `<a class="image" target="_blank" rel="noopener noreferrer nofollow" href="${escape(source)}">🖼 ${escape(label)}</a>`
}

const codeBlock = (content: string, language: string): string =>
  `<div class="code"><div class="code-head"><span>${escape(language)}</span>` +
  `<button type="button" class="copy">Copy</button></div><pre tabindex="0"><code>${escape(content)}</code></pre></div>\n`
rules["fence"] = (tokens, index) => {
  const token = tokens[index]!
  return codeBlock(token.content, token.info.trim().split(/\s+/)[0] ?? "")
}
rules["code_block"] = (tokens, index) => codeBlock(tokens[index]!.content, "")

// Each block takes the direction of its own first letter.
for (const block of ["paragraph", "heading", "blockquote", "bullet_list", "ordered_list", "list_item"]) {
  rules[`${block}_open`] = (tokens, index, options, _env, self) => {
    tokens[index]!.attrSet("dir", "auto")
    return self.renderToken(tokens, index, options)
  }
}

rules["table_open"] = () => '<div class="table"><table>\n'
rules["table_close"] = () => "</table></div>\n"
// Alignment comes as a style attribute, which the page's policy forbids.
const alignedCell: NonNullable<(typeof rules)[string]> = (tokens, index, options, _env, self) => {
  const token = tokens[index]!
  const align = /text-align:(\w+)/.exec(String(token.attrGet("style") ?? ""))?.[1]
  token.attrs = align === undefined ? null : [["class", `align-${align}`]]
  token.attrSet("dir", "auto")
  return self.renderToken(tokens, index, options)
}
rules["th_open"] = alignedCell
rules["td_open"] = alignedCell

/** Shows `text` in `element`; blocks that stay the same stay the same nodes. */
export const update = (element: HTMLElement, text: string): void => {
  const template = document.createElement("template")
  template.innerHTML = markdown.render(text)
  const next = [...template.content.children]
  const present = [...element.children]
  let same = 0
  while (same < next.length && same < present.length && next[same]!.isEqualNode(present[same]!)) same++
  for (const old of present.slice(same)) old.remove()
  element.append(...next.slice(same))
}

/** Copies the code block a press on its button belongs to. */
export const onPress = (event: Event): void => {
  const button = event.target instanceof Element ? event.target.closest("button.copy") : null
  if (!(button instanceof HTMLButtonElement)) return
  const code = button.closest(".code")?.querySelector("code")?.textContent ?? ""
  const say = (word: string) => {
    button.textContent = word
    setTimeout(() => {
      button.textContent = "Copy"
    }, 1500)
  }
  navigator.clipboard.writeText(code).then(
    () => say("Copied"),
    () => say("Failed")
  )
}
