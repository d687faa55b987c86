/** What is kept of an OP's documents: plain members of bounded length, whatever else it answered. */
import { CommandError } from '../errors.js'

const MOST_MEMBERS = 200
const LONGEST_TEXT = 4096
const LONGEST_LIST = 100
const LONGEST_WORD = 512

/** Longest document that is kept, in characters of JSON. */
const LONGEST = 256 * 1024

/**
 * Texts, numbers, booleans and lists of words. A megabyte of empty objects, parsed, takes more than
 * forty in memory, and documents are kept there for as long as they are of use.
 *
 * @throws CommandError `invalid_op_response` for a document that is too long all the same
 */
export function plainMembers(document: object): Record<string, unknown> {
  const members = Object.entries(document)
    .filter(([, value]) => isPlain(value))
    .slice(0, MOST_MEMBERS)
  const kept = Object.fromEntries(members)
  if (JSON.stringify(kept).length <= LONGEST) return kept
  throw new CommandError('invalid_op_response', `the OP's document is longer than ${LONGEST}`)
}

function isPlain(value: unknown): boolean {
  if (typeof value === 'string') return value.length <= LONGEST_TEXT
  if (typeof value === 'number' || typeof value === 'boolean') return true
  return Array.isArray(value) && value.length <= LONGEST_LIST && value.every(isWord)
}

function isWord(value: unknown): boolean {
  return typeof value === 'string' && value.length <= LONGEST_WORD
}
