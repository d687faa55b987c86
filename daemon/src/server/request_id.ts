/** Numbers by which a request is found in the log: one in the site's error, and in every line of that request. */
import { randomBytes } from '../random.js'

/** Letters and digits that are told apart when read out over a telephone. */
const LETTERS = '0123456789abcdefghjkmnpqrstvwxyz'

/** Random ones before the count: those of another start, or of another daemon, begin otherwise. */
const PREFIX = 8

/**
 * Begins a series of its own for a realm, so that the counts tell nobody how busy another realm is.
 *
 * @returns the next number at each call, such as `k3f9w2ab-17`
 */
export function requestIds(): () => string {
  const prefix = [...randomBytes(PREFIX)].map((byte) => LETTERS[byte % LETTERS.length]).join('')
  let count = 0
  return () => {
    count += 1
    return `${prefix}-${count}`
  }
}
