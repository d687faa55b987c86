/** What the command `relyd` prints: lines, tables and JSON. */
import { bounded } from '../errors.js'
import { escapeObeyed } from '../obeyed.js'

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

/** For programs: one JSON text, of one line if it is compact. */
export function sayJson(value: unknown, { compact = false } = {}): void {
  console.log(escapeObeyed(JSON.stringify(value, null, compact ? 0 : 2)))
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
