/** Replaces `%(key)s` and `%%` in values as Python's SafeConfigParser, which oxd-python used, does. */
import { secretKeys } from './site_keys.js'

/** How deep values may refer to one another. */
const DEEPEST = 10

/** How many characters a value may take from others: a few short lines could ask for any number. */
const MOST_CHARACTERS = 65_536

const PERCENT = /%(?:(%)|\(([^)]+)\)s)?/g

/** A value refers to what is not there; the message names the cure and no value. */
export class InterpolationError extends Error {}

/**
 * @param key whose value it is, in lower case
 * @param lookup the value of a key, in lower case, as it stands in the file
 * @throws {InterpolationError}
 */
export function interpolate(
  key: string,
  value: string,
  lookup: (key: string) => string | undefined,
): string {
  let taken = 0

  function take(name: string, depth: number, quotable: boolean): string {
    const found = lookup(name)
    if (found === undefined) {
      throw new InterpolationError(
        `refers to ${quotable ? `"${name}"` : 'a key'}, which is neither in its section nor in [DEFAULT]; ` +
          'write %% for each % that is meant as it stands',
      )
    }
    taken += found.length
    if (taken > MOST_CHARACTERS) {
      throw new InterpolationError(
        `takes more than ${MOST_CHARACTERS} characters from the values that it refers to by %(key)s; ` +
          'refer to fewer or shorter ones',
      )
    }
    return found.includes('%') ? expand(name, found, depth + 1, quotable) : found
  }

  /** @param quotable whether what stands between `%(` and `)s` is no part of a secret */
  function expand(key: string, value: string, depth: number, quotable: boolean): string {
    if (depth > DEEPEST) {
      throw new InterpolationError(`refers to itself, or to others more than ${DEEPEST} deep`)
    }
    const parts: string[] = []
    let end = 0
    // One by one, not by replace(), which looks for all of them first: slow where many are open.
    for (const { 0: match, 1: percent, 2: name, index } of value.matchAll(PERCENT)) {
      parts.push(value.slice(end, index))
      end = index + match.length
      if (percent) parts.push('%')
      else if (name) parts.push(take(name.toLowerCase(), depth, quotable && !secretKeys.has(key)))
      else {
        throw new InterpolationError(
          'has a single %; write %% for it: in a cfg, as in Python, % begins %(key)s',
        )
      }
    }
    return parts.join('') + value.slice(end)
  }

  return expand(key, value, 1, true)
}

/** A value as it has to stand in a cfg to read back as it is. */
export function escapePercent(value: string): string {
  return value.replaceAll('%', '%%')
}
