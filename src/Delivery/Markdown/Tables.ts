/** Tables for platforms that have none: a group of lines per row, or columns aligned in a block of code (`delivery X6`). Pure. */
import type { PhrasingContent, Table } from "mdast"
import type { Words } from "./Walk.ts"

/** Printed cells, and the same as bare text for alignment. */
export interface Cells {
  readonly header: ReadonlyArray<string>
  readonly rows: ReadonlyArray<ReadonlyArray<string>>
  readonly bare: ReadonlyArray<ReadonlyArray<string>>
}

const bareText = (nodes: ReadonlyArray<PhrasingContent>): string =>
  nodes
    .map((node) =>
      "value" in node ? node.value : "children" in node ? bareText(node.children) : "url" in node ? node.url : ""
    )
    .join("")
    .replaceAll(/\s+/g, " ")

export const cellsOf = (table: Table, print: (cell: ReadonlyArray<PhrasingContent>) => string): Cells => {
  const printed = table.children.map((row) => row.children.map((cell) => print(cell.children)))
  return {
    header: printed[0] ?? [],
    rows: printed.slice(1),
    bare: table.children.map((row) => row.children.map((cell) => bareText(cell.children)))
  }
}

/**
 * Per row a bold heading and `• header: value` lines, groups parted by a blank line. The heading is the row's label when
 * it has one cell more than the header, else its first cell that is not empty, which then has no line of its own.
 */
export const asGroups = ({ header, rows }: Cells, words: Words): string =>
  rows
    .map((row, index) => {
      const isLabelled = row.length > header.length
      const at = isLabelled ? (row[0]?.trim() === "" ? -1 : 0) : row.findIndex((cell) => cell.trim() !== "")
      const label = at < 0 ? words.text(`Row ${index + 1}`) : row[at]!
      const lines = row.flatMap((cell, column) => {
        if (column === at || (isLabelled && column === 0) || cell.trim() === "") return []
        const name = header[isLabelled ? column - 1 : column]?.trim() ?? ""
        return [`• ${name === "" ? "" : `${name}${words.text(": ")}`}${cell}`]
      })
      return [words.heading(label, 6), ...lines].join("\n")
    })
    .join("\n\n")

/** Columns a character takes in a fixed-width font, roughly: CJK and emoji take two. */
const widthOf = (text: string): number => {
  let width = 0
  for (const character of text) {
    if (/\p{M}|\u200d/u.test(character)) continue
    width +=
      /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u.test(
        character
      )
        ? 2
        : 1
  }
  return width
}

/** Columns in a block of code, padded as far as no line exceeds `widest`. */
export const asColumns =
  (widest: number) =>
  ({ bare }: Cells, words: Words): string => {
    const columns = Math.max(0, ...bare.map((row) => row.length))
    const widths = Array.from({ length: columns }, (_, column) =>
      Math.max(3, ...bare.map((row) => widthOf(row[column] ?? "")))
    )
    const isAligned = widths.reduce((sum, width) => sum + width + 3, 1) <= widest
    const line = (row: ReadonlyArray<string>) =>
      `| ${widths.map((width, column) => (row[column] ?? "") + " ".repeat(isAligned ? width - widthOf(row[column] ?? "") : 0)).join(" | ")} |`
    const rule = `|${widths.map((width) => "-".repeat(isAligned ? width + 2 : 3)).join("|")}|`
    const [header = [], ...rows] = bare
    return words.code([line(header), rule, ...rows.map(line)].join("\n"), "")
  }
