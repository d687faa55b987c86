/** Keeps what an OP nests too deeply out: a recursive encoder would overflow the stack, and no frame has room. */
import { isDeeperThan, MAX_DEPTH } from '@relyd/sdk/framing'
import { CommandError } from '../errors.js'

/** Levels within a claims object: a reply's frame has two around it. */
const LEVELS = MAX_DEPTH - 2

const QUOTE = 0x22
const BACKSLASH = 0x5c

/**
 * Looks at claims that stand further down in a reply than the OP's own.
 *
 * @throws CommandError `invalid_op_response`
 */
export function checkDeeperClaims(claims: object): void {
  // A list, and in it an object, are around them too.
  if (isDeeperThan(claims, LEVELS - 2)) throw tooDeep()
}

/**
 * Looks at a JSON text before anybody parses it.
 *
 * @throws CommandError `invalid_op_response`
 */
export function checkJsonNesting(text: Uint8Array): void {
  let depth = 0
  let inString = false
  for (let at = 0; at < text.length; at += 1) {
    const byte = text[at]
    if (byte === QUOTE) inString = !inString
    else if (inString) {
      if (byte === BACKSLASH) at += 1
    } else if (byte === 0x5b || byte === 0x7b) {
      depth += 1
      if (depth > LEVELS) throw tooDeep()
    } else if (byte === 0x5d || byte === 0x7d) depth -= 1
  }
}

function tooDeep(): CommandError {
  return new CommandError(
    'invalid_op_response',
    `the OP answered something nested deeper than ${LEVELS} levels`,
  )
}
