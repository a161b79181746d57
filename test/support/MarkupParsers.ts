/**
 * Strict readers of what platforms take, after their manuals: Telegram's MarkdownV2 and HTML, Slack's mrkdwn. They refuse
 * what the platform would refuse, and give back the bare text. They share no code with the printers.
 */

/** Bot API, "MarkdownV2 style": every reserved character outside code is escaped, or opens or closes an entity. */
export const readMarkdownV2 = (source: string): string => {
  const reserved = "_*[]()~`>#+-=|{}.!"
  const open: Array<string> = []
  let out = ""
  let at = 0
  const fail = (why: string): never => {
    throw new Error(`${why} at ${at} of ${JSON.stringify(source)}`)
  }
  const toggle = (mark: string) => {
    if (open.at(-1) === mark) open.pop()
    else if (open.includes(mark)) fail(`${mark} closes out of turn`)
    else open.push(mark)
    at += mark.length
  }
  const code = (fence: string) => {
    at += fence.length
    if (fence === "```") {
      const language = /^[A-Za-z0-9_+#.-]*\n/.exec(source.slice(at))
      if (language !== null) at += language[0].length
    }
    while (!source.startsWith(fence, at)) {
      if (at >= source.length) fail("code is not closed")
      if (source[at] === "\\") at++
      else if (source[at] === "`") fail("a backtick in code is not escaped")
      out += source[at++]
    }
    at += fence.length
  }
  while (at < source.length) {
    const char = source[at]!
    const startsLine = at === 0 || source[at - 1] === "\n"
    if (char === "\\") {
      if (!(reserved + "\\").includes(source[at + 1] ?? "")) fail("nothing to escape")
      out += source[at + 1]
      at += 2
    } else if (source.startsWith("```", at)) code("```")
    else if (char === "`") code("`")
    else if (source.startsWith("||", at)) toggle("||")
    else if (source.startsWith("__", at)) toggle("__")
    else if (startsLine && source.startsWith("**>", at)) at += 3
    else if (char === "*" || char === "_" || char === "~") toggle(char)
    else if (char === "[") {
      if (open.includes("[")) fail("a link in a link")
      open.push("[")
      at++
    } else if (char === "]") {
      if (open.pop() !== "[" || source[at + 1] !== "(") fail("no link ends here")
      at += 2
      while (source[at] !== ")") {
        if (at >= source.length) fail("an address is not closed")
        if (source[at] === "\\") at++
        at++
      }
      at++
    } else if (char === ">" && startsLine) at++
    else if (reserved.includes(char)) fail(`${char} is not escaped`)
    else {
      out += char
      at++
    }
  }
  if (open.length > 0) fail(`${open.join("")} is not closed`)
  return out
}

const unescaped = (text: string): string =>
  text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&quot;", '"').replaceAll("&amp;", "&")

/** Bot API, "HTML style", and Matrix: listed tags, properly nested; bare `<`, `>` and `&` do not occur. */
export const readHtml = (source: string, tags: ReadonlySet<string>, attributes: RegExp): string => {
  const open: Array<string> = []
  let out = ""
  for (const [token] of source.matchAll(/<[^>]*>|[^<]+|</g)) {
    const tag = /^<(\/?)([a-z0-9-]+)((?: [^>]*)?)>$/.exec(token)
    if (tag === null) {
      if (/[<>]|&(?!(?:lt|gt|amp|quot);)/.test(token)) throw new Error(`not escaped: ${token} in ${source}`)
      out += unescaped(token)
      continue
    }
    const [, slash, name = "", rest = ""] = tag
    if (!tags.has(name) || (rest !== "" && !attributes.test(rest))) throw new Error(`not allowed: ${token}`)
    if (slash === "/") {
      if (open.pop() !== name) throw new Error(`${name} closes out of turn in ${source}`)
    } else if (name !== "br" && name !== "hr") open.push(name)
  }
  if (open.length > 0) throw new Error(`${open.join(" ")} not closed in ${source}`)
  return out
}

export const telegramTags: ReadonlySet<string> = new Set(
  "b strong i em u ins s strike del tg-spoiler code pre a blockquote".split(" ")
)
export const matrixTags: ReadonlySet<string> = new Set(
  "a b blockquote br code del em h1 h2 h3 h4 h5 h6 hr i li ol p pre s strike strong table tbody td th thead tr ul".split(
    " "
  )
)

/** Slack, "Formatting text": `&`, `<` and `>` only as entities or as a link or reference; code holds no marks. */
export const readMrkdwn = (source: string): string => {
  const withoutQuotes = source.replaceAll(/^> ?/gm, "")
  let out = ""
  for (const [token] of withoutQuotes.matchAll(/<[^<>]*>|[^<]+|</g)) {
    const link = /^<((?:https?:\/\/|mailto:|\/|[a-z.]+)[^|<>]*)(?:\|([^<>]*))?>$/.exec(token)
    if (link !== null) out += unescaped(link[2] ?? link[1]!)
    else if (/^<[@#!][^<>]+>$/.test(token)) out += token
    else if (/[<>]|&(?!(?:lt|gt|amp);)/.test(token)) throw new Error(`not escaped: ${token} in ${source}`)
    else out += unescaped(token)
  }
  return out
}
