/**
 * The HTML body of a Matrix message (`delivery X5`; `org.matrix.custom.html`): only elements and attributes of its
 * allow-list, and nothing of the agent's own HTML.
 */
import type { List, ListItem, PhrasingContent, RootContent, Table } from "mdast"
import { parse } from "./Parse.ts"

const escaped = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
const attribute = (text: string): string => escaped(text).replaceAll('"', "&quot;")

const safeLink = /^(?:https?|matrix|mailto):/i
/** Deeper than anybody writes; the rest is left out of this body, the plain one has it. */
const deepest = 60

const inlines = (children: ReadonlyArray<PhrasingContent>, depth: number): string =>
  children.map((child) => inline(child, depth + 1)).join("")

const inline = (node: PhrasingContent, depth: number): string => {
  if (depth > deepest) return ""
  switch (node.type) {
    case "text":
      return escaped(node.value).replaceAll("\n", "<br>\n")
    case "strong":
      return `<strong>${inlines(node.children, depth)}</strong>`
    case "emphasis":
      return `<em>${inlines(node.children, depth)}</em>`
    case "delete":
      return `<del>${inlines(node.children, depth)}</del>`
    case "inlineCode":
      return `<code>${escaped(node.value)}</code>`
    case "break":
      return "<br>\n"
    case "link": {
      const inner = inlines(node.children, depth)
      return safeLink.test(node.url) ? `<a href="${attribute(node.url)}">${inner}</a>` : inner
    }
    case "image":
      return safeLink.test(node.url)
        ? `<a href="${attribute(node.url)}">${escaped(node.alt || node.url)}</a>`
        : escaped(node.url)
    default:
      return ""
  }
}

const item = (node: ListItem, spread: boolean, depth: number): string => {
  const box = node.checked == null ? "" : node.checked ? "☑ " : "☐ "
  const inner = node.children
    .map((child) => (child.type === "paragraph" && !spread ? inlines(child.children, depth) : block(child, depth + 1)))
    .join("\n")
  return `<li>${box}${inner}</li>`
}

const list = (node: List, depth: number): string => {
  const items = node.children.map((child) => item(child, node.spread === true, depth)).join("\n")
  if (node.ordered !== true) return `<ul>\n${items}\n</ul>`
  const start = node.start == null || node.start === 1 ? "" : ` start="${node.start}"`
  return `<ol${start}>\n${items}\n</ol>`
}

const table = (node: Table, depth: number): string => {
  const row = (cells: Table["children"][number], tag: "th" | "td") =>
    `<tr>${cells.children.map((cell) => `<${tag}>${inlines(cell.children, depth)}</${tag}>`).join("")}</tr>`
  const [header, ...rows] = node.children
  const head = header === undefined ? "" : `<thead>${row(header, "th")}</thead>`
  return `<table>${head}<tbody>${rows.map((cells) => row(cells, "td")).join("\n")}</tbody></table>`
}

const block = (node: RootContent, depth: number): string => {
  if (depth > deepest) return ""
  switch (node.type) {
    case "paragraph":
      return `<p>${inlines(node.children, depth)}</p>`
    case "heading":
      return `<h${node.depth}>${inlines(node.children, depth)}</h${node.depth}>`
    case "code": {
      const language = /^[A-Za-z0-9_+#.-]{1,32}$/.exec(node.lang ?? "")?.[0]
      const kind = language === undefined ? "" : ` class="language-${attribute(language)}"`
      return `<pre><code${kind}>${escaped(node.value)}\n</code></pre>`
    }
    case "blockquote":
      return `<blockquote>\n${node.children.map((child) => block(child, depth + 1)).join("\n")}\n</blockquote>`
    case "list":
      return list(node, depth)
    case "table":
      return table(node, depth)
    case "thematicBreak":
      return "<hr>"
    default:
      return ""
  }
}

/** A single paragraph stands without `<p>`. */
export const toMatrixHtml = (text: string): string => {
  const { children } = parse(text)
  const [only] = children
  return children.length === 1 && only?.type === "paragraph"
    ? inlines(only.children, 0)
    : children.map((child) => block(child, 0)).join("\n")
}
