/** Replaces the contents of a site's cfg so that no reader, and no crash, ever sees half a file. */
import { isUtf8 } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import {
  accessSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  type Stats,
  statSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { ConfigError } from './errors.js'

/** To whom a file belongs, and who may do what with it. */
export type Ownership = Pick<Stats, 'uid' | 'gid' | 'mode'>

/** What the system says when this user, or this file system, does not allow a change. */
const refusals = new Set(['EACCES', 'EPERM', 'EROFS'])

/** What rename() says of a file that is itself a mount point, as a bind-mounted cfg is. */
const mountPoint = new Set(['EBUSY', 'EXDEV'])

/** Whether an error means that this user may not write here. */
export function isRefusal(error: unknown): boolean {
  return refusals.has(codeOf(error))
}

/** The system's name of an error, such as `ENOENT`. */
export function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException | undefined)?.code ?? ''
}

/** The file itself, so that a symbolic link to it stays one. */
export function realFile(path: string): string {
  return realpathSync(path)
}

/**
 * The contents of a configuration file.
 *
 * @throws {ConfigError} if it is not UTF-8: written back, its other bytes would be lost
 */
export function readText(path: string): string {
  const bytes = readFileSync(path)
  if (isUtf8(bytes)) return bytes.toString('utf8')
  throw new ConfigError(path, undefined, 'the file is not UTF-8; save it in that encoding')
}

/** @throws the system's error if this user may not write the file itself, whatever its folder allows */
export function assertWritable(path: string): void {
  accessSync(path, constants.W_OK)
}

/**
 * Changes a file as a whole, keeping its mode and, where the system permits it, its owner; an ACL
 * is lost (docs/cfg.md), which Node cannot even see.
 *
 * @param change gets the present contents, returns the new ones; may be called again
 * @throws the system's error; {@link isRefusal} tells whether this user may not write there
 */
export function changeFile(path: string, change: (text: string) => string): void {
  const file = realFile(path)
  // rename() would replace a file that was made read-only on purpose.
  assertWritable(file)
  for (;;) {
    const before = readText(file)
    const after = change(before)
    if (after === before || replaceFile(file, after)) return
    // Only its bytes can change, in sight of others who write it: not over what was never read.
    if (readText(file) === before) {
      writeInPlace(file, after)
      return
    }
  }
}

/** @returns false if the folder is closed to this user, or the file is a mount point */
function replaceFile(file: string, text: string): boolean {
  let made: string | undefined
  try {
    const like = statSync(file)
    made = makeTemporary(file, text, (descriptor) => takeAfter(descriptor, like))
    renameSync(made, file)
  } catch (error) {
    if (made) unlinkIfThere(made)
    if (isRefusal(error) || mountPoint.has(codeOf(error))) return false
    throw error
  }
  syncFolder(dirname(file))
  return true
}

/**
 * Writes a new file beside `file`, durable before it returns.
 *
 * @param finish gives the file its mode and owner; without it only this user may read it
 * @returns the new file's name
 */
export function makeTemporary(
  file: string,
  text: string,
  finish?: (descriptor: number) => void,
): string {
  const name = `.${basename(file)}.${randomBytes(6).toString('hex')}.tmp`
  const path = join(dirname(file), name)
  const descriptor = openSync(path, 'wx', 0o600)
  try {
    writeFileSync(descriptor, text)
    finish?.(descriptor)
    fsyncSync(descriptor)
  } catch (error) {
    unlinkIfThere(path)
    throw error
  } finally {
    closeSync(descriptor)
  }
  return path
}

/** Makes a new, removed or renamed name in a folder durable, where the file system can. */
export function syncFolder(folder: string): void {
  try {
    const descriptor = openSync(folder, 'r')
    try {
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
  } catch {
    // Not every file system syncs folders; the file's own bytes are safe already.
  }
}

/** Removes a file; another process may have been faster. */
export function unlinkIfThere(path: string): void {
  try {
    unlinkSync(path)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
  }
}

function takeAfter(descriptor: number, like: Ownership): void {
  if (!chown(descriptor, like.uid, like.gid)) chown(descriptor, fstatSync(descriptor).uid, like.gid)
  // A group that could not be kept must not be replaced by another one that may read the secrets.
  const kept = fstatSync(descriptor).gid === like.gid
  fchmodSync(descriptor, like.mode & (kept ? 0o777 : 0o707))
}

function chown(descriptor: number, uid: number, gid: number): boolean {
  try {
    fchownSync(descriptor, uid, gid)
    return true
  } catch {
    return false
  }
}

/** One write over the old bytes, then the new length: a reader never meets an emptied file. */
function writeInPlace(file: string, text: string): void {
  const bytes = Buffer.from(text)
  const descriptor = openSync(file, 'r+')
  try {
    for (let at = 0; at < bytes.length; )
      at += writeSync(descriptor, bytes, at, bytes.length - at, at)
    ftruncateSync(descriptor, bytes.length)
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
