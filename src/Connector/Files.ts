/**
 * A file as the web chat shows it: a link in Markdown, which the page never loads by itself. Only addresses of the web
 * are shown; anything else could run code or read what is not ours.
 */

const isWebAddress = (url: string): boolean => URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)

const inLabel = (text: string): string =>
  text
    .replace(/\s+/g, " ")
    .trim()
    .replace(/[[\]\\`*_<>]/g, "\\$&")

/** `null`: the address cannot be shown. */
export const markdownOf = (file: {
  readonly kind: string
  readonly url: string
  readonly filename: string | null
  readonly caption: string | null
}): string | null => {
  if (!isWebAddress(file.url)) return null
  // Whole and escaped, so that nothing in it ends the link.
  const address = new URL(file.url).href.replaceAll("(", "%28").replaceAll(")", "%29")
  const label = inLabel(file.filename ?? "") || inLabel(file.kind)
  const link = `${file.kind === "image" ? "!" : ""}[${label}](${address})`
  const caption = file.caption?.trim() ?? ""
  return caption === "" ? link : `${link}\n\n${caption}`
}
