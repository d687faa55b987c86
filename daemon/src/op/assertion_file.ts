/** Client assertions that the platform writes into a file and renews there (workload identity). */
import { constants } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { isAbsolute } from 'node:path'
import type { Seconds } from '../clock.js'
import { live } from '../live_secrets.js'

/** Longest assertion, in bytes. Those of Kubernetes, SPIFFE and clouds have one or two thousand. */
const LONGEST = 16_384

/** Longest path, in characters. */
const LONGEST_PATH = 1024

/** Why a file is of no use; the message names it, and nothing that is in it. */
export class AssertionFileError extends Error {
  override readonly name = 'AssertionFileError'
}

/** @returns what is wrong with a path, in words that follow its name; undefined if nothing is */
export function faultOfPath(path: string): string | undefined {
  if (!isAbsolute(path)) return 'must be an absolute path, as the daemon has another folder'
  if (path.length > LONGEST_PATH || path.includes('\0')) return 'is no path of a file'
  return undefined
}

/**
 * Reads the assertion anew: whoever renews it tells nobody.
 *
 * @throws AssertionFileError
 */
export async function readAssertionFile(path: string, now: Seconds): Promise<string> {
  const text = await readBounded(path)
  live.note(text.trim())
  const assertion = text.trim()
  const claims = claimsOf(assertion)
  if (!claims) {
    throw new AssertionFileError(`${path} does not hold a signed JWT, and nothing else`)
  }
  const { exp } = claims
  // RFC 7523 3 rule 4. The OP would refuse it, in words that say less.
  if (typeof exp !== 'number') throw new AssertionFileError(`${path} holds a JWT without exp`)
  if (exp <= now) {
    throw new AssertionFileError(
      `${path} holds a JWT that expired ${Math.ceil(now - exp)} seconds ago; see to what renews it`,
    )
  }
  return assertion
}

async function readBounded(path: string): Promise<string> {
  let file: FileHandle | undefined
  try {
    // To open a device may do something, and a pipe waits for who writes into it.
    if (!(await stat(path)).isFile()) throw new AssertionFileError(`${path} is no file`)
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const buffer = Buffer.alloc(LONGEST + 1)
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0)
    if (bytesRead > LONGEST) {
      throw new AssertionFileError(`${path} has more than ${LONGEST} bytes, too many for a JWT`)
    }
    return buffer.toString('utf8', 0, bytesRead)
  } catch (error) {
    if (error instanceof AssertionFileError) throw error
    const { code } = error as NodeJS.ErrnoException
    throw new AssertionFileError(`${path} cannot be read (${code})`, { cause: error })
  } finally {
    await file?.close()
  }
}

/** Of a JWT by its shape: whether it is good is for the OP to say. */
function claimsOf(text: string): Record<string, unknown> | undefined {
  if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(text)) return undefined
  const [header, claims] = text.split('.').slice(0, 2).map(membersOf)
  return header && header['alg'] !== 'none' ? claims : undefined
}

function membersOf(part: string): Record<string, unknown> | undefined {
  try {
    const read: unknown = JSON.parse(Buffer.from(part, 'base64url').toString())
    return typeof read === 'object' && read !== null ? { ...read } : undefined
  } catch {
    return undefined
  }
}
