/** Changes one value of a file that Python's ConfigParser reads, and leaves every other byte alone. */
import { withoutBom } from './ini_file.js'
import { BOM, type IniLine, indentOf, readIniLines, readIniValue } from './ini_lines.js'
import { strip } from './python_space.js'

/**
 * Changes, or adds, one value. Comments, order, delimiters, line endings, byte order mark and the
 * presence of a last line ending stay as they are. A comment behind the value gets a line of its own
 * above it: Python 3 would read it as a part of the value.
 *
 * @param text a file's contents
 * @param section name of the section, added at the end of the file if absent
 * @param key in lower case; if absent, it is added behind the section's last line
 * @param value one line, as it stands in the file
 * @returns the file's new contents
 * @throws {RangeError} if the value would not read back as it is
 */
export function setIniValue(text: string, section: string, key: string, value: string): string {
  if (/[\r\n]/.test(value) || readIniValue(value).value !== value) {
    throw new RangeError(`the value of ${key} would not read back as it is`)
  }
  const lines = readIniLines(withoutBom(text))
  const bom = text.startsWith(BOM) ? BOM : ''
  const at = lastEntry(lines, section, key)
  const start = lines.findIndex((line) => line.kind === 'section' && line.name === section)
  if (at !== -1) replaceValue(lines, at, value)
  else if (start !== -1) addEntry(lines, start, key, value)
  else addSection(lines, section, key, value)
  return bom + lines.map((line) => line.text + line.ending).join('')
}

/** The one that counts, of however many in however many sections of that name. */
function lastEntry(lines: IniLine[], section: string, key: string): number {
  let inSection = false
  let last = -1
  for (const [at, line] of lines.entries()) {
    if (line.kind === 'section') inSection = line.name === section
    if (inSection && line.kind === 'entry' && line.key === key) last = at
  }
  return last
}

function replaceValue(lines: IniLine[], at: number, value: string): void {
  const line = lines[at]
  if (line?.kind !== 'entry' || isThere(lines, at, value)) return
  const head = line.text.slice(0, line.delimiterAt + 1)
  const behind = line.text.slice(head.length)
  const spaced = /\s/.test(line.text[line.delimiterAt - 1] ?? '')
  const gap = line.value === '' ? (spaced ? ' ' : '') : indentOf(behind)
  line.text = value === '' ? head : head + gap + value
  // Continuation lines are a part of the old value; comments between them are not.
  for (let next = at + 1; next < lines.length; ) {
    const { kind, ending } = lines[next] as IniLine
    if (kind === 'continuation') {
      lines.splice(next, 1)
      if (ending === '') (lines[next - 1] as IniLine).ending = ''
    } else if (kind === 'comment' || kind === 'blank') next += 1
    else break
  }
  if (line.comment !== '') insertLine(lines, at, indentOf(line.text) + line.comment)
}

/** Whether every Python reads this value here already. */
function isThere(lines: IniLine[], at: number, value: string): boolean {
  const line = lines[at]
  if (line?.kind !== 'entry' || strip(line.text.slice(line.delimiterAt + 1)) !== value) return false
  const next = lines.slice(at + 1).find(({ kind }) => kind !== 'comment' && kind !== 'blank')
  return next?.kind !== 'continuation'
}

function addEntry(lines: IniLine[], start: number, key: string, value: string): void {
  const following = lines.findIndex((line, at) => at > start && line.kind === 'section')
  const end = following === -1 ? lines.length : following
  // Comments directly above the next section's header are about that section.
  let at = end
  if (end < lines.length) while (lines[at - 1]?.kind === 'comment') at -= 1
  while (lines[at - 1]?.kind === 'blank') at -= 1

  const neighbour = lines.slice(start, end).findLast((line) => line.kind === 'entry')
  const delimiter = neighbour ? delimiterOf(neighbour) : ' = '
  insertLine(lines, at, indentFor(lines, start, end) + entryText(key, delimiter, value))
}

/**
 * Indents like the neighbours: deeper than an entry above it, a line would continue that; and the
 * next header, if it were deeper, would continue the line.
 */
function indentFor(lines: IniLine[], start: number, end: number): string {
  const neighbour = lines.slice(start, end).findLast((line) => line.kind === 'entry')
  if (neighbour) return indentOf(neighbour.text)
  const [here, next] = [start, end].map((at) => indentOf(lines[at]?.text ?? '')) as [string, string]
  return next.length > here.length ? next : here
}

function addSection(lines: IniLine[], section: string, key: string, value: string): void {
  const last = lines.at(-1)
  if (last && last.kind !== 'blank') insertLine(lines, lines.length, '')
  insertLine(lines, lines.length, `[${section}]`)
  insertLine(lines, lines.length, entryText(key, ' = ', value))
  if (!last) (lines.at(-1) as IniLine).ending = '\n'
}

/** Puts a line before another, or at the end, with the ending that lines have there. */
function insertLine(lines: IniLine[], at: number, text: string): void {
  const above = lines[at - 1]
  const usual = lines.find((line) => line.ending !== '')?.ending ?? '\n'
  const ending = above?.ending ?? ''
  if (above?.ending === '') above.ending = usual
  lines.splice(at, 0, { number: 0, kind: 'blank', text, ending })
}

function entryText(key: string, delimiter: string, value: string): string {
  return key + (value === '' ? delimiter.trimEnd() : delimiter + value)
}

function delimiterOf(line: IniLine & { kind: 'entry' }): string {
  const before = line.text.slice(0, line.delimiterAt)
  const after = line.text.slice(line.delimiterAt + 1)
  const spaced = /\s$/.test(before)
  const gap = line.value === '' ? spaced : /^\s/.test(after)
  return `${spaced ? ' ' : ''}${line.text[line.delimiterAt]}${gap ? ' ' : ''}`
}
