/** Reads files as Python's ConfigParser does, values as they stand: `%` means nothing here. */
import { parse } from 'ini'
import { ConfigError } from './errors.js'
import { BOM, readIniLines } from './ini_lines.js'

export { ConfigError } from './errors.js'
export { nearestName } from './nearest_name.js'

/** A value as it stands in the file, quotes and `#` included. */
export interface IniEntry {
  /** Lines of a continued value are joined by `\n`; blank lines among them are left out. */
  value: string
  /** Line of the key, counted from 1. */
  line: number
}

/** A file's contents. */
export interface IniFile {
  path: string
  /** Entries by section, named as in the file (`listener tcp`), and by key, in lower case. */
  sections: Map<string, Map<string, IniEntry>>
  /** Line of each section's first header, counted from 1. */
  section_lines: Map<string, number>
}

/**
 * Told of what ConfigParser reads, but hardly as it was meant.
 *
 * @param fault what is wrong, and the cure
 * @param reading how it is read until then
 */
export type Remark = (line: number, fault: string, reading: string) => void

/**
 * Reads `[section]` headers, `key = value` or `key: value`, comments, and values continued on deeper
 * indented lines.
 *
 * @param text the file's contents
 * @param path the file's name, for error messages only
 * @param remark what to do about what is doubtful, such as a key that is given twice; refuses it
 *   unless given
 * @throws {ConfigError} on a malformed line
 */
export function parseIniFile(text: string, path: string, remark = refuseIn(path)): IniFile {
  const file: IniFile = { path, sections: new Map(), section_lines: new Map() }
  let section = new Map<string, IniEntry>()
  let entry: IniEntry | undefined
  let above = ''
  for (const line of readIniLines(withoutBom(text))) {
    switch (line.kind) {
      case 'malformed':
        throw new ConfigError(path, line.number, line.fault)
      case 'section': {
        const { name, number, behind } = line
        if (behind !== '' && !/^[#;]/.test(behind)) {
          remark(number, 'a section is written [name], alone on its line', 'the rest is not read')
        }
        const first = file.section_lines.get(name)
        if (first === undefined) {
          file.sections.set(name, new Map())
          file.section_lines.set(name, number)
        } else {
          const fault = `section [${name}] is given twice, first on line ${first}; keep one`
          remark(number, fault, 'both count')
        }
        section = file.sections.get(name) ?? section
        break
      }
      case 'entry': {
        const { key, value, number } = line
        const first = section.get(key)?.line
        if (first !== undefined) {
          const fault = `"${key}" is given twice, first on line ${first}; keep one`
          remark(number, fault, 'the last one counts')
        }
        entry = { value, line: number }
        above = key
        section.set(key, entry)
        break
      }
      case 'continuation':
        // The scanner reports one only below an entry.
        if (!entry) break
        if (/^\[[^\]]+\]$/.test(line.value)) {
          const fault = `a section's header ${line.value} must not be indented deeper than the key above it`
          remark(line.number, fault, `it continues the value of "${above}"`)
        }
        entry.value += `\n${line.value}`
        break
    }
  }
  decodeValues(file)
  return file
}

/** A text without its byte order mark. */
export function withoutBom(text: string): string {
  return text.startsWith(BOM) ? text.slice(BOM.length) : text
}

function refuseIn(path: string): Remark {
  return (line, fault) => {
    throw new ConfigError(path, line, fault)
  }
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
