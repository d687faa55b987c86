/** What the command `relyd` prints: lines, tables and JSON. */
import { bounded } from '../errors.js'

/** Longest line for the terminal; what it quotes of a file, a path or an OP may be anything. */
const LINE = 2000

/** A line for the operator, on standard output. */
export function say(line = ''): void {
  console.log(bounded(line, LINE))
}

/** A line on standard error. */
export function complain(line: string): void {
  console.error(bounded(line, LINE))
}

/** For programs: one JSON text, of which a terminal obeys nothing either. */
export function sayJson(value: unknown): void {
  console.log(JSON.stringify(value, null, 2).replace(/[^\P{Cc}\n]|[\p{Cf}\p{Zl}\p{Zp}]/gu, escaped))
}

function escaped(character: string): string {
  const units = Array.from(character.split(''), (unit) => unit.charCodeAt(0))
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('')
}

/**
 * Columns under their headings.
 *
 * @param numbers how many of the last columns hold numbers, which end under their heading
 */
export function sayTable(rows: readonly string[][], numbers = 0): void {
  const shown = rows.map((row) => row.map((cell) => bounded(cell, LINE)))
  const widths = (shown[0] ?? []).map((_, column) =>
    Math.max(...shown.map((row) => row[column]?.length ?? 0)),
  )
  const words = widths.length - numbers
  for (const row of shown) {
    const cells = row.map((cell, column) => {
      const width = widths[column] ?? 0
      return column < words ? cell.padEnd(width) : cell.padStart(width)
    })
    console.log(cells.join('  ').trimEnd())
  }
}

/** @returns such as `1 site` and `2 sites` */
export function counted(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`
}

/** @returns such as `2026-11-23 06:40 UTC` */
export function dateOf(seconds: number): string {
  return `${new Date(seconds * 1000).toISOString().slice(0, 16).replace('T', ' ')} UTC`
}
