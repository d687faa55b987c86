/** Tells the lines of a ConfigParser-like file apart, for reading it and for changing one value in place. */

/** One line of a file, as Python's ConfigParser understands it. */
export type IniLine = {
  /** Counted from 1. */
  number: number
  /** Without its line ending and, on the first line, the byte order mark. */
  text: string
  /** `\n`, `\r\n`, `\r`, or nothing at the end of the file. */
  ending: string
} & (
  | { kind: 'blank' | 'comment' }
  | { kind: 'section'; name: string }
  /** `delimiterAt` is the position of the `=` or `:`. */
  | { kind: 'entry'; key: string; value: string; delimiterAt: number }
  /** Belongs to the value of the entry above it. */
  | { kind: 'continuation'; value: string }
  | { kind: 'malformed'; fault: string }
)

/** The byte order mark, which some editors put before the first line. */
export const BOM = '\uFEFF'

/** Splits a file, without its byte order mark, into lines that joined again are the same text. */
export function readIniLines(text: string): IniLine[] {
  const lines: IniLine[] = []
  let inSection = false
  // A line indented deeper than the entry above it continues that entry's value.
  let entryIndent: number | undefined
  for (const [whole] of text.matchAll(/[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+/g)) {
    const content = whole.replace(/[\r\n]+$/, '')
    const place = { number: lines.length + 1, text: content, ending: whole.slice(content.length) }
    const trimmed = content.trim()
    const indent = indentOf(content).length
    // Wherever it stands, unlike in ConfigParser: a value must not swallow the section below it.
    const header = /^\[([^\]]*)\]\s*(?:[#;].*)?$/.exec(trimmed)?.[1]?.trim()
    if (trimmed === '') {
      lines.push({ ...place, kind: 'blank' })
    } else if (/^[#;]/.test(trimmed)) {
      lines.push({ ...place, kind: 'comment' })
    } else if (header) {
      entryIndent = undefined
      inSection = true
      lines.push({ ...place, kind: 'section', name: header })
    } else if (entryIndent !== undefined && indent > entryIndent) {
      lines.push({ ...place, kind: 'continuation', value: trimmed })
    } else if (trimmed.startsWith('[')) {
      const fault = 'a section is written [name], alone on its line'
      lines.push({ ...place, kind: 'malformed', fault })
    } else {
      const delimiterAt = content.search(/[=:]/)
      const key = content.slice(0, delimiterAt).trim().toLowerCase()
      const fault = faultOfEntry(inSection, delimiterAt, key)
      if (fault) {
        lines.push({ ...place, kind: 'malformed', fault })
      } else {
        entryIndent = indent
        const value = content.slice(delimiterAt + 1).trim()
        lines.push({ ...place, kind: 'entry', key, value, delimiterAt })
      }
    }
  }
  return lines
}

/** The white space a line starts with. */
export function indentOf(text: string): string {
  return /^\s*/.exec(text)?.[0] ?? ''
}

function faultOfEntry(inSection: boolean, delimiterAt: number, key: string): string | undefined {
  if (delimiterAt === -1) return 'expected "key = value", "[section]" or a comment'
  if (key === '') return 'there is no key before the value'
  if (!inSection) return `"${key}" stands before the first [section]`
  return undefined
}
