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
 *
 * Where this user may not write the cfg itself, but its folder, the key stays in `<cfg>.key` and
 * serves from there. Where the folder is not the file's own, as beside a file that is mounted alone,
 * nothing is kept: another container, or the next one, would not find it and register again.
 */
import { randomBytes } from 'node:crypto'
import { linkSync, readFileSync, statSync } from 'node:fs'
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
import { setIniValue } from './ini_edit.js'
import { escapePercent } from './interpolation.js'
import { type RegistrationState, stateOf } from './registration_state.js'

/** What to register with; `kept_in` is the file beside a cfg that this user may not write. */
export type EnsuredState = RegistrationState & { kept_in?: string }

/**
 * Makes sure that the cfg has an idempotency key or, of a site registered by other means, an id.
 *
 * @returns what the file holds afterwards: another process may have been faster
 * @throws {ConfigError} if there is neither and this user can keep none
 */
export function ensureIdempotencyKey(path: string): EnsuredState {
  for (;;) {
    const state = stateOf(readText(path), path) ?? settleKey(path)
    if (state) return state
  }
}

/** Whether the cfg has an id. A key is no proof of a registration: it may be made beforehand. */
export function isIdStored(path: string): boolean {
  const state = stateOf(readText(path), path)
  return state !== undefined && 'id' in state
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
    return isOurs ? setIniValue(text, 'oxd', 'id', escapePercent(id)) : text
  })
}

/**
 * Takes the id and key of a removed site out of the cfg. A `<cfg>.key` that a killed process left
 * goes first, while the cfg still has its key: it would come back to life afterwards.
 *
 * @returns whether this user may write where they are kept
 */
export function forgetRegistration(path: string): boolean {
  const keyFile = keyFileOf(path)
  const changed = tryToChange(path, (text) => {
    unlinkIfThere(keyFile)
    return setIniValue(setIniValue(text, 'oxd', 'id', ''), 'oxd', 'idempotency_key', '')
  })
  if (changed) return true
  return stateOf(readText(path), path) === undefined && tryTo(() => unlinkIfThere(keyFile))
}

/** Gets the key that counts into the cfg, or finds that it has to stay beside it. */
function settleKey(path: string): EnsuredState | undefined {
  const refusal = refusalOf(() => assertWritable(path))
  const keyFile = keyFileOf(path)
  const winner = readKey(keyFile) ?? makeKey(path, keyFile, refusal)
  if (winner === undefined) return undefined // removed by another process, so the cfg has its key
  if (refusal) {
    return stateOf(readText(path), path) ?? { idempotency_key: winner, kept_in: keyFile }
  }
  changeFile(path, (text) =>
    stateOf(text, path) ? text : setIniValue(text, 'oxd', 'idempotency_key', winner),
  )
  // Where that is refused, it does no harm: the cfg's own key counts.
  tryTo(() => unlinkIfThere(keyFile))
  return undefined
}

/** @returns the winner's key, or undefined if it is in the cfg by now */
function makeKey(path: string, keyFile: string, refusal: unknown): string | undefined {
  if (refusal && !isNeighbour(path, refusal)) throw unwritable(path, 'a read-only mount', refusal)
  try {
    const candidate = makeTemporary(keyFile, randomBytes(32).toString('base64url'))
    try {
      linkSync(candidate, keyFile)
      syncFolder(dirname(keyFile))
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error
    } finally {
      unlinkIfThere(candidate)
    }
  } catch (error) {
    if (!isRefusal(error)) throw error
    throw unwritable(path, refusal ? 'neither' : 'the file only', error)
  }
  return readKey(keyFile)
}

function readKey(keyFile: string): string | undefined {
  let key: string
  try {
    key = readFileSync(keyFile, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    if (isRefusal(error)) throw unreadable(keyFile, error)
    throw error
  }
  if (/^[\w-]{43}$/.test(key)) return key
  throw new ConfigError(keyFile, undefined, 'this is not a key that relyd made; remove the file')
}

/**
 * Whether what is kept in the file's folder is found wherever the file is. A read-only file system,
 * and a file mounted alone, say no: the folder around it may be a container's own.
 */
function isNeighbour(path: string, refusal: unknown): boolean {
  const file = realFile(path)
  return codeOf(refusal) !== 'EROFS' && statSync(file).dev === statSync(dirname(file)).dev
}

/** Beside the file itself, so that every symbolic link to it leads to the same key. */
function keyFileOf(path: string): string {
  return `${realFile(path)}.key`
}

function tryToChange(path: string, change: (text: string) => string): boolean {
  return tryTo(() => changeFile(path, change))
}

/** @returns false if this user may not */
function tryTo(work: () => void): boolean {
  return refusalOf(work) === undefined
}

/** What the system says if this user may not do something. */
function refusalOf(work: () => void): unknown {
  try {
    work()
  } catch (error) {
    if (isRefusal(error)) return error
    throw error
  }
  return undefined
}

const WHAT_IS_CLOSED = {
  'a read-only mount':
    'the file is on a read-only mount, and a key that is kept elsewhere would be lost with the container',
  neither: 'this user may write neither the file nor a file beside it',
  'the file only':
    'this user may write the file but not its folder, where processes that start at once agree on one key',
}

function unwritable(
  path: string,
  closed: keyof typeof WHAT_IS_CLOSED,
  cause: unknown,
): ConfigError {
  return new ConfigError(
    path,
    undefined,
    `the site's registration needs an idempotency_key, and ${WHAT_IS_CLOSED[closed]}. Add a line ` +
      '"idempotency_key = …" to [oxd], or set RELYD_IDEMPOTENCY_KEY, to what this prints: ' +
      `node -p "crypto.randomBytes(32).toString('base64url')"` +
      (closed === 'a read-only mount' ? '' : '; or let this user write the file and its folder'),
    cause,
  )
}

function unreadable(keyFile: string, cause: unknown): ConfigError {
  return new ConfigError(
    keyFile,
    undefined,
    `the key that another user keeps here for the site cannot be read (${codeOf(cause)}): let the ` +
      "website's processes run as one user, or move the key into the cfg's [oxd] as idempotency_key",
    cause,
  )
}
