/**
 * Gives a site's cfg its idempotency key: one, whatever number of processes start with it at once.
 *
 * The protocol, without a lock that a killed process could leave behind:
 *
 *  1. The candidate, in a file of its own, is link()ed to `<cfg>.key`. One process succeeds, the
 *     others get EEXIST; a name that exists has its whole content, because the content came first.
 *  2. Everybody reads the winner from `<cfg>.key`, and *then* reads the cfg again: a key that is in
 *     the cfg by now counts. Otherwise the winner is written to the cfg.
 *  3. Only when the cfg holds a key is `<cfg>.key` removed.
 *
 * Invariant: a cfg that has a key keeps it, and as long as it has none `<cfg>.key` does not change.
 * So processes that find the cfg without a key all write the same one, and a second `<cfg>.key`,
 * made by a process that read the cfg before and was slow to link, comes after the cfg got its key
 * and loses in step 2. A process killed anywhere leaves either nothing, or a `<cfg>.key` that the
 * next one uses (cfg without key) or removes (cfg with key).
 *
 * A slow process may write back a cfg it read before a faster one added the `id`: that id is then
 * lost from the file, and the next registration with the same key answers the same id.
 */
import { randomBytes } from 'node:crypto'
import { linkSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import {
  assertWritable,
  changeFile,
  codeOf,
  isRefusal,
  makeTemporary,
  readText,
  realFile,
  syncFolder,
  unlinkIfThere,
} from './cfg_file.js'
import { ConfigError } from './errors.js'
import { parseIniFile, setIniValue } from './ini_file.js'

/** A registered site's id, or the key to register it with. */
export type RegistrationState = { id: string } | { idempotency_key: string }

/**
 * Makes sure that the cfg has an idempotency key or, of a site registered by other means, an id.
 *
 * @returns what the file holds afterwards: another process may have been faster
 * @throws {ConfigError} if there is neither and this user cannot write
 */
export function ensureIdempotencyKey(path: string): RegistrationState {
  for (;;) {
    const state = stateOf(readText(path), path)
    if (state) return state
    try {
      settleKey(path)
    } catch (error) {
      if (isRefusal(error)) throw unwritable(path, error)
      throw error
    }
  }
}

/** Whether the cfg has an id or a key. */
export function isRegistrationBegun(path: string): boolean {
  return stateOf(readText(path), path) !== undefined
}

/**
 * Writes the id that a registration gave into the cfg, unless the site was removed meanwhile.
 *
 * @returns whether this user may write the file
 */
export function storeId(path: string, id: string, idempotency_key: string): boolean {
  return tryToChange(path, (text) => {
    const state = stateOf(text, path)
    const isOurs = state && 'idempotency_key' in state && state.idempotency_key === idempotency_key
    return isOurs ? setIniValue(text, 'oxd', 'id', id) : text
  })
}

/**
 * Takes the id and key of a removed site out of the cfg. A `<cfg>.key` that a killed process left
 * goes first, while the cfg still has its key: it would come back to life afterwards.
 *
 * @returns whether this user may write the file
 */
export function forgetRegistration(path: string): boolean {
  return tryToChange(path, (text) => {
    unlinkIfThere(keyFileOf(path))
    return setIniValue(setIniValue(text, 'oxd', 'id', ''), 'oxd', 'idempotency_key', '')
  })
}

/** 43 characters that nobody can guess. */
export function newIdempotencyKey(): string {
  return randomBytes(32).toString('base64url')
}

function settleKey(path: string): void {
  assertWritable(path)
  const keyFile = keyFileOf(path)
  const winner = winningKey(keyFile)
  if (winner === undefined) return // removed by another process, so the cfg has its key
  changeFile(path, (text) =>
    stateOf(text, path) ? text : setIniValue(text, 'oxd', 'idempotency_key', winner),
  )
  unlinkIfThere(keyFile)
}

function winningKey(keyFile: string): string | undefined {
  const candidate = makeTemporary(keyFile, newIdempotencyKey())
  try {
    linkSync(candidate, keyFile)
    syncFolder(dirname(keyFile))
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
  } finally {
    unlinkIfThere(candidate)
  }
  let key: string
  try {
    key = readFileSync(keyFile, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
  if (/^[\w-]{43}$/.test(key)) return key
  throw new ConfigError(keyFile, undefined, 'this is not a key that relyd made; remove the file')
}

/** Beside the file itself, so that every symbolic link to it leads to the same key. */
function keyFileOf(path: string): string {
  return `${realFile(path)}.key`
}

function stateOf(text: string, path: string): RegistrationState | undefined {
  const section = parseIniFile(text, path).sections.get('oxd')
  const id = section?.get('id')?.value
  const idempotency_key = section?.get('idempotency_key')?.value
  if (id) return { id }
  return idempotency_key ? { idempotency_key } : undefined
}

function tryToChange(path: string, change: (text: string) => string): boolean {
  try {
    changeFile(path, change)
    return true
  } catch (error) {
    if (isRefusal(error)) return false
    throw error
  }
}

function unwritable(path: string, cause: unknown): ConfigError {
  return new ConfigError(
    path,
    undefined,
    'this user can write neither the registration into the file nor a file beside it. Add the line ' +
      `"idempotency_key = ${newIdempotencyKey()}" to [oxd], ` +
      'or make the file and its folder writable by this user',
    cause,
  )
}
