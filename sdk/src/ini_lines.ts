/**
 * Tells the lines of a file apart as Python's ConfigParser does, for reading it and for changing one
 * value in place. Where Python 2.7, which oxd-python ran on, and Python 3 differ, docs/cfg.md says
 * which of them is followed.
 */
import { isSpace, strip } from './python_space.js'

/** One line of a file. */
export type IniLine = {
  /** Counted from 1. */
  number: number
  /** Without its line ending and, on the first line, the byte order mark. */
  text: string
  /** `\n`, `\r\n`, `\r`, or nothing at the end of the file. */
  ending: string
} & (
  | { kind: 'blank' | 'comment' }
  /** `behind` is what follows the `]`. */
  | { kind: 'section'; name: string; behind: string }
  | IniEntryLine
  /** Belongs to the value of the entry above it. */
  | { kind: 'continuation'; value: string }
  | { kind: 'malformed'; fault: string }
)

interface IniEntryLine {
  kind: 'entry'
  /** In lower case. */
  key: string
  value: string
  /** Position of the `=` or `:`. */
  delimiterAt: number
  /** The comment behind the value, from its `;`. */
  comment: string
}

/** The byte order mark, which some editors put before the first line. */
export const BOM = '\uFEFF'

/** `[name]`, whatever follows it. */
const HEADER = /^\[([^\]]+)\]/

/** A comment of Python 2.7: the word `rem` where the line begins. */
const REM = /^rem(?:\s|$)/i

/** Splits a file, without its byte order mark, into lines that joined again are the same text. */
export function readIniLines(text: string): IniLine[] {
  const lines: IniLine[] = []
  let inSection = false
  // A line indented deeper than the entry above it continues that entry's value.
  let entryIndent: number | undefined
  for (const [whole] of text.matchAll(/[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+/g)) {
    const content = whole.replace(/[\r\n]+$/, '')
    const place = { number: lines.length + 1, text: content, ending: whole.slice(content.length) }
    const stripped = strip(content)
    const indent = indentOf(content).length
    const header = HEADER.exec(stripped)
    if (stripped === '') {
      lines.push({ ...place, kind: 'blank' })
    } else if (/^[#;]/.test(stripped) || REM.test(content)) {
      lines.push({ ...place, kind: 'comment' })
    } else if (entryIndent !== undefined && indent > entryIndent) {
      lines.push({ ...place, kind: 'continuation', value: stripped })
    } else if (header) {
      const [brackets, name = ''] = header
      entryIndent = undefined
      inSection = true
      const behind = strip(stripped.slice(brackets.length))
      lines.push({ ...place, kind: 'section', name, behind })
    } else {
      const delimiterAt = content.search(/[=:]/)
      const key = strip(content.slice(0, Math.max(0, delimiterAt))).toLowerCase()
      const fault = faultOfEntry(inSection, delimiterAt, key, stripped)
      if (fault) {
        lines.push({ ...place, kind: 'malformed', fault })
      } else {
        entryIndent = indent
        const { value, comment } = readIniValue(content.slice(delimiterAt + 1))
        lines.push({ ...place, kind: 'entry', key, value, delimiterAt, comment })
      }
    }
  }
  return lines
}

/**
 * Reads what follows a delimiter as Python 2.7 does: the first `;`, if white space stands before it,
 * begins a comment, and a lone `""` is an empty value.
 */
export function readIniValue(text: string): { value: string; comment: string } {
  const whole = text.slice(indentOf(text).length)
  const at = whole.indexOf(';')
  // Before a `;` at the beginning Python looks at the last character instead; so does .at(-1).
  const isComment = at !== -1 && isSpace(whole.at(at - 1) ?? '')
  const value = strip(isComment ? whole.slice(0, at) : whole)
  return { value: value === '""' ? '' : value, comment: isComment ? strip(whole.slice(at)) : '' }
}

/** The white space a line starts with. */
export function indentOf(text: string): string {
  let end = 0
  while (end < text.length && isSpace(text.charAt(end))) end += 1
  return text.slice(0, end)
}

function faultOfEntry(
  inSection: boolean,
  delimiterAt: number,
  key: string,
  stripped: string,
): string | undefined {
  if (delimiterAt === -1) {
    return stripped.startsWith('[')
      ? 'a section is written [name], alone on its line'
      : 'expected "key = value", "[section]" or a comment'
  }
  if (key === '') return 'there is no key before the value'
  if (!inSection) return `"${key}" stands before the first [section]`
  return undefined
}
