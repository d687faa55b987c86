/** Files with keys, which nobody but the daemon may read. */
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  type Stats,
  statSync,
} from 'node:fs'
import { dirname, resolve } from 'node:path'

/** A file with a key is open to others; the message names it and the cure. */
export class OpenToOthersError extends Error {
  override readonly name = 'OpenToOthersError'
}

/** What stands there is a pipe, a folder or a device; told like the system's errors. */
class NoFileError extends Error {
  override readonly name = 'NoFileError'
  readonly code = 'no file'
}

/**
 * @returns its text
 * @throws OpenToOthersError, or what has a code as the system's errors do
 */
export function readSecretFile(path: string): string {
  // To open a device may do something, and a pipe waits for who writes into it.
  requireFile(path, statSync(path))
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    // Of the opened file, not of the path, which may name another one by then.
    const stats = fstatSync(file)
    requireFile(path, stats)
    checkMode(path, stats.mode)
    return readFileSync(file, 'utf8')
  } finally {
    closeSync(file)
  }
}

/** Whether systemd gave the file to the unit (`LoadCredential=`): a copy of another. */
export function isCredential(path: string): boolean {
  const credentials = process.env['CREDENTIALS_DIRECTORY']
  return credentials !== undefined && dirname(resolve(path)) === resolve(credentials)
}

function requireFile(path: string, stats: Stats): void {
  if (!stats.isFile()) throw new NoFileError(`${path} is no file`)
}

function checkMode(path: string, mode: number): void {
  // systemd gives a credential to the service's user by an ACL, whose mask shows as the group's bits.
  if ((mode & (isCredential(path) ? 0o007 : 0o077)) === 0) return
  const shown = (mode & 0o777).toString(8).padStart(4, '0')
  throw new OpenToOthersError(
    `${path} is open to other users (mode ${shown}); run: chmod 600 ${path}`,
  )
}
