/** Files with keys, which nobody but the daemon may read. */
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

/** A file with a key is open to others; the message names it and the cure. */
export class OpenToOthersError extends Error {
  override readonly name = 'OpenToOthersError'
}

/**
 * @returns its text
 * @throws OpenToOthersError, or the system's error
 */
export function readSecretFile(path: string): string {
  const file = openSync(path, 'r')
  try {
    // Of the opened file, not of the path, which may name another one by then.
    checkMode(path, fstatSync(file).mode)
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

function checkMode(path: string, mode: number): void {
  // systemd gives a credential to the service's user by an ACL, whose mask shows as the group's bits.
  if ((mode & (isCredential(path) ? 0o007 : 0o077)) === 0) return
  const shown = (mode & 0o777).toString(8).padStart(4, '0')
  throw new OpenToOthersError(
    `${path} is open to other users (mode ${shown}); run: chmod 600 ${path}`,
  )
}
