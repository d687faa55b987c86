/** Replaces `%(key)s` and `%%` in values as Python's SafeConfigParser, which oxd-python used, does. */

/** How deep values may refer to one another. */
const DEEPEST = 10

/** A value refers to what is not there; the message names the cure and no value. */
export class InterpolationError extends Error {}

/**
 * @param lookup the value of a key, in lower case, as it stands in the file
 * @throws {InterpolationError}
 */
export function interpolate(
  value: string,
  lookup: (key: string) => string | undefined,
  depth = 1,
): string {
  if (depth > DEEPEST) {
    throw new InterpolationError(`refers to itself, or to others more than ${DEEPEST} deep`)
  }
  return value.replace(/%(?:(%)|\(([^)]+)\)s)?/g, (_, percent?: string, name?: string) => {
    if (percent) return '%'
    if (name === undefined) {
      throw new InterpolationError(
        'has a single %; write %% for it: in a cfg, as in Python, % begins %(key)s',
      )
    }
    const key = name.toLowerCase()
    const found = lookup(key)
    if (found === undefined) {
      throw new InterpolationError(
        `refers to "${key}", which is neither in its section nor in [DEFAULT]; ` +
          'write %% for each % that is meant as it stands',
      )
    }
    return found.includes('%') ? interpolate(found, lookup, depth + 1) : found
  })
}

/** A value as it has to stand in a cfg to read back as it is. */
export function escapePercent(value: string): string {
  return value.replaceAll('%', '%%')
}
