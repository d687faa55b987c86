/** Reads files as Python's ConfigParser does, and changes one value leaving every other byte alone. */
import { parse } from 'ini'
import { ConfigError } from './errors.js'
import { BOM, type IniLine, indentOf, readIniLines } from './ini_lines.js'

export { ConfigError } from './errors.js'
export { nearestName } from './nearest_name.js'

/** A value as it stands in the file, quotes and inline `#` and `;` included. */
export interface IniEntry {
  /** Lines of a continued value are joined by `\n`. */
  value: string
  /** Line of the key, counted from 1. */
  line: number
}

/** A file's contents. */
export interface IniFile {
  path: string
  /** Entries by section, named as in the file (`listener tcp`), and by key, in lower case. */
  sections: Map<string, Map<string, IniEntry>>
  /** Line of each section's header, counted from 1. */
  section_lines: Map<string, number>
}

/**
 * Reads `[section]` headers, `key = value` or `key: value`, comment lines that start with `#` or
 * `;`, and values continued on deeper indented lines.
 *
 * @param text the file's contents
 * @param path the file's name, for error messages only
 * @throws {ConfigError} on a malformed line and on a section or key that is given twice
 */
export function parseIniFile(text: string, path: string): IniFile {
  const file: IniFile = { path, sections: new Map(), section_lines: new Map() }
  let section = new Map<string, IniEntry>()
  let entry: IniEntry | undefined
  for (const line of readIniLines(withoutBom(text))) {
    switch (line.kind) {
      case 'malformed':
        throw new ConfigError(path, line.number, line.fault)
      case 'section': {
        const first = file.section_lines.get(line.name)
        if (first !== undefined) {
          throw new ConfigError(
            path,
            line.number,
            `section [${line.name}] is given twice, first on line ${first}; keep one`,
          )
        }
        section = new Map()
        file.sections.set(line.name, section)
        file.section_lines.set(line.name, line.number)
        break
      }
      case 'entry': {
        const first = section.get(line.key)?.line
        if (first !== undefined) {
          throw new ConfigError(
            path,
            line.number,
            `"${line.key}" is given twice, first on line ${first}; keep one`,
          )
        }
        entry = { value: line.value, line: line.number }
        section.set(line.key, entry)
        break
      }
      case 'continuation':
        // The scanner reports one only below an entry.
        if (entry) entry.value += `\n${line.value}`
        break
    }
  }
  decodeValues(file)
  return file
}

/**
 * Changes, or adds, one value. Comments, order, delimiters, line endings, byte order mark and the
 * presence of a last line ending stay as they are.
 *
 * @param text a file's contents
 * @param section name of the section, added at the end of the file if absent
 * @param key in lower case; if absent, it is added behind the section's last line
 * @param value one line without outer white space
 * @returns the file's new contents
 */
export function setIniValue(text: string, section: string, key: string, value: string): string {
  if (value !== value.trim() || /[\r\n]/.test(value)) {
    throw new RangeError(`the value of ${key} would not read back as it is`)
  }
  const lines = readIniLines(withoutBom(text))
  const bom = text.startsWith(BOM) ? BOM : ''
  const start = lines.findIndex((line) => line.kind === 'section' && line.name === section)
  if (start === -1) return bom + addSection(lines, section, key, value)

  const following = lines.findIndex((line, at) => at > start && line.kind === 'section')
  const end = following === -1 ? lines.length : following
  const at = lines.findIndex(
    (line, at) => at > start && at < end && line.kind === 'entry' && line.key === key,
  )
  if (at === -1) addEntry(lines, start, end, key, value)
  else replaceValue(lines, at, value)
  return bom + textOf(lines)
}

/**
 * Passes the values through `ini`, each quoted and under its line's number, because `ini` cuts
 * values at `#` and `;`, makes paths of dots, lists of `[]` and booleans of `true`.
 */
function decodeValues({ sections }: IniFile): void {
  const entries = [...sections.values()].flatMap((section) => [...section.values()])
  const values = parse(entries.map(({ line, value }) => `${line}=${quote(value)}`).join('\n'))
  for (const entry of entries) entry.value = String(values[entry.line])
}

/** JSON, with what JSON allows inside a line but `ini`'s regular expression does not. */
function quote(value: string): string {
  return JSON.stringify(value).replace(/[\u2028\u2029]/g, (character) =>
    character === '\u2028' ? '\\u2028' : '\\u2029',
  )
}

function replaceValue(lines: IniLine[], at: number, value: string): void {
  const line = lines[at]
  if (line?.kind !== 'entry') return
  const head = line.text.slice(0, line.delimiterAt + 1)
  const spaced = /\s/.test(line.text[line.delimiterAt - 1] ?? '')
  const gap = line.value === '' ? (spaced ? ' ' : '') : indentOf(line.text.slice(head.length))
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
}

function addEntry(lines: IniLine[], start: number, end: number, key: string, value: string): void {
  // Comments directly above the next section's header are about that section.
  let at = end
  if (end < lines.length) while (lines[at - 1]?.kind === 'comment') at -= 1
  while (lines[at - 1]?.kind === 'blank') at -= 1

  // Indented like its neighbours: deeper, it would continue the value above it.
  const neighbour = lines.slice(start, end).findLast((line) => line.kind === 'entry')
  const indent = indentOf((neighbour ?? lines[start])?.text ?? '')
  const delimiter = neighbour ? delimiterOf(neighbour) : ' = '
  insertLine(lines, at, `${indent}${key}${delimiter}${value}`.trimEnd())
}

function addSection(lines: IniLine[], section: string, key: string, value: string): string {
  const last = lines.at(-1)
  if (last && last.kind !== 'blank') insertLine(lines, lines.length, '')
  insertLine(lines, lines.length, `[${section}]`)
  insertLine(lines, lines.length, `${key} = ${value}`.trimEnd())
  const text = textOf(lines)
  return last ? text : `${text}\n`
}

function insertLine(lines: IniLine[], at: number, text: string): void {
  const above = lines[at - 1]
  const usual = lines.find((line) => line.ending !== '')?.ending ?? '\n'
  const ending = above ? above.ending : ''
  if (above?.ending === '') above.ending = usual
  lines.splice(at, 0, { number: 0, kind: 'blank', text, ending })
}

function delimiterOf(line: IniLine & { kind: 'entry' }): string {
  const before = line.text.slice(0, line.delimiterAt)
  const after = line.text.slice(line.delimiterAt + 1)
  const spaced = /\s$/.test(before)
  const gap = line.value === '' ? spaced : /^\s/.test(after)
  return `${spaced ? ' ' : ''}${line.text[line.delimiterAt]}${gap ? ' ' : ''}`
}

function textOf(lines: IniLine[]): string {
  return lines.map((line) => line.text + line.ending).join('')
}

function withoutBom(text: string): string {
  return text.startsWith(BOM) ? text.slice(BOM.length) : text
}
