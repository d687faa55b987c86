/** Changes the file of encryption keys as a whole, so that nobody ever reads or keeps half of one. */
import { readFileSync, realpathSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { randomToken } from '../random.js'
import { messageOf, StoreError } from './errors.js'
import { keyIdOfLine, newKeyLine, refuseCredential } from './key_file.js'
import { syncFolder, writeDurably } from './write_durably.js'

/**
 * Puts a new key in front of the others, so that it encrypts.
 *
 * @throws StoreError `key_file`, and the file is as it was
 */
export function addKeyTo(path: string, key_id: string): void {
  change(path, (lines) => {
    const first = lines.findIndex((line) => keyIdOfLine(line) !== undefined)
    return lines.toSpliced(first, 0, newKeyLine(key_id))
  })
}

/**
 * Takes a key out, if it is there.
 *
 * @throws StoreError `key_file`, and the file is as it was
 */
export function removeKeyFrom(path: string, key_id: string): void {
  change(path, (lines) => lines.filter((line) => keyIdOfLine(line) !== key_id))
}

/** @param edit of the lines, each with its end */
function change(path: string, edit: (lines: string[]) => string[]): void {
  refuseCredential(path, 'is a copy')
  try {
    // Where a link leads, for a file put in the link's place would leave the old one behind.
    const file = realpathSync(path)
    const folder = dirname(file)
    const draft = join(folder, `.relyd-key-${randomToken(9)}`)
    const text = readFileSync(file, 'utf8')
    const lines = (text.endsWith('\n') ? text : `${text}\n`).split(/(?<=\n)/)
    try {
      writeDurably(draft, edit(lines).join(''), statSync(file))
      renameSync(draft, file)
    } finally {
      rmSync(draft, { force: true })
    }
    syncFolder(folder)
  } catch (error) {
    throw new StoreError('key_file', `Cannot change the key file ${path}: ${messageOf(error)}`, {
      cause: error,
    })
  }
}
