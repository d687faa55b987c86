/** Writes small private files so that a crash leaves the old one or the new one, on the disk. */
import { closeSync, fchownSync, fstatSync, fsyncSync, openSync, writeFileSync } from 'node:fs'

/** Who a file belongs to. */
export interface Owner {
  uid: number
  gid: number
}

/**
 * Makes a file of mode 0600 that nobody else can have opened, and syncs it.
 *
 * @param owner whom it shall belong to, if not who runs this
 * @throws the system's error; EEXIST if the file is there, EPERM if it cannot be given away
 */
export function writeDurably(path: string, text: string, owner?: Owner): void {
  const file = openSync(path, 'wx', 0o600)
  try {
    const { uid, gid } = fstatSync(file)
    if (owner && (owner.uid !== uid || owner.gid !== gid)) fchownSync(file, owner.uid, owner.gid)
    writeFileSync(file, text)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/** Makes what was linked or renamed in a folder durable. */
export function syncFolder(path: string): void {
  const folder = openSync(path, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}
