/** Types of the library's browser build, which the asset build puts beside the page's own modules. */
// oxlint-disable-next-line import/no-default-export -- the library has no other export
export { default } from "markdown-it"
