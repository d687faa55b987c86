/**
 * The file of encryption keys: text, one key a line, readable by the daemon alone.
 *
 * Under systemd it is a credential (`LoadCredential=`), elsewhere relyd makes it at the first start.
 */
import { linkSync, mkdirSync, realpathSync, rmSync } from 'node:fs'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { randomBytes, randomToken } from '../random.js'
import { isCredential, OpenToOthersError, readSecretFile } from '../secret_file.js'
import { type EncryptionKey, KEY_BYTES, KEY_ID, Keyring } from './encryption.js'
import { codeOf, messageOf, StoreError } from './errors.js'
import { syncFolder, writeDurably } from './write_durably.js'

const HEADING = `\
# Encryption keys of relyd: without them the secrets in its database are lost. Back this file up, apart from the database.
# One key a line, as KEYID BASE64URL (${KEY_BYTES} bytes). The first key encrypts, all of them decrypt.
`

/**
 * @returns the keys, or undefined if there is no such file
 * @throws StoreError `key_file` with the path and the cure
 */
export function readKeyFile(path: string): Keyring | undefined {
  let text: string
  try {
    text = readSecretFile(path)
  } catch (error) {
    if (error instanceof OpenToOthersError) {
      throw new StoreError('key_file', `The key file ${error.message}`)
    }
    if (codeOf(error) === 'ENOENT') return undefined
    throw new StoreError('key_file', `Cannot read the key file ${path}: ${messageOf(error)}`, {
      cause: error,
    })
  }
  return parseKeys(path, text)
}

/**
 * Makes the file with one new key, unless another process just did, whose key then counts.
 *
 * @returns the keys that the file holds
 * @throws StoreError `key_file`
 */
export function makeKeyFile(path: string): Keyring {
  refuseCredential(path, 'is not among the credentials')
  const folder = dirname(resolve(path))
  // Linked into place when complete: as exclusive as O_EXCL, and nobody ever reads half a file.
  const draft = join(folder, `.relyd-key-${randomToken(9)}`)
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    try {
      writeDurably(draft, `${HEADING}${newKeyLine(newKeyId())}`)
      linkSync(draft, path)
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error
    } finally {
      rmSync(draft, { force: true })
    }
    syncFolder(folder)
  } catch (error) {
    throw new StoreError('key_file', `Cannot make the key file ${path}: ${messageOf(error)}`, {
      cause: error,
    })
  }
  const keys = readKeyFile(path)
  if (!keys) throw new StoreError('key_file', `The key file ${path} vanished while it was made`)
  return keys
}

/** @returns an id for a key, to be tried against those that are there */
export function newKeyId(): string {
  return randomBytes(4).toString('hex')
}

/** @returns a line with a key that was never there before */
export function newKeyLine(key_id: string): string {
  return `${key_id} ${randomToken(KEY_BYTES)}\n`
}

/** @returns the id of the key in a line of the file, undefined for comments and empty lines */
export function keyIdOfLine(line: string): string | undefined {
  const content = line.trim()
  return content === '' || content.startsWith('#') ? undefined : content.split(/\s+/)[0]
}

/** @throws StoreError `key_file` for a file that systemd gave, which is a copy of another */
export function refuseCredential(path: string, why: string): void {
  if (!isCredential(path)) return
  throw new StoreError(
    'key_file',
    `The key file ${path} ${why}: systemd makes it from the file that the unit names in ` +
      'LoadCredential=store.key:FILE; make or change that one with ' +
      '`relyd key add --key-file FILE`, then restart the unit',
  )
}

/** @returns what an operator does about a key file that lacks a key */
export function cureOfKeyFile(path: string): string {
  return isCredential(path)
    ? 'restore the file that LoadCredential= names from its backup, and restart the unit'
    : 'restore the key file from its backup, or name the right one (--key-file, or key_file in relyd.cfg)'
}

function parseKeys(path: string, text: string): Keyring {
  const keys: EncryptionKey[] = []
  for (const [index, line] of text.split('\n').entries()) {
    if (keyIdOfLine(line) === undefined) continue
    const [id = '', encoded = '', ...rest] = line.trim().split(/\s+/)
    const key = Buffer.from(encoded, 'base64url')
    const well_formed =
      rest.length === 0 &&
      KEY_ID.test(id) &&
      key.length === KEY_BYTES &&
      key.toString('base64url') === encoded
    // The line itself stays out of the message: it is, or nearly is, a key.
    if (!well_formed) throw malformed(path, index, `must be KEYID BASE64URL of ${KEY_BYTES} bytes`)
    if (keys.some((other) => other.id === id)) throw malformed(path, index, `repeats the id ${id}`)
    keys.push({ id, key })
  }
  const [first, ...others] = keys
  if (!first) {
    throw new StoreError(
      'key_file',
      `The key file ${path} holds no key; restore it from its backup, or, if there is no database ` +
        'yet, remove it and a new one is made',
    )
  }
  return new Keyring([first, ...others])
}

function malformed(path: string, index: number, what: string): StoreError {
  return new StoreError('key_file', `The key file ${path}, line ${index + 1} ${what}`)
}

/**
 * Whoever copies the database's folder must not get the key with it.
 *
 * @throws StoreError `key_file`
 */
export function refuseSharedFolder(database: string, key_file: string): void {
  const folder = dirname(realPath(database))
  const from_there = relative(folder, dirname(realPath(key_file)))
  if (from_there === '..' || from_there.startsWith(`..${sep}`)) return
  throw new StoreError(
    'key_file',
    `The key file ${key_file} lies in the database's folder ${folder}, and a copy of one would be ` +
      'a copy of both; set the option "key_file" to a path outside of it',
  )
}

/** Resolves symbolic links as far as the path exists already. */
function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    // What else is wrong with the path shows when it is opened.
    if (dirname(path) === path) return path
    return join(realPath(dirname(path)), basename(path))
  }
}
