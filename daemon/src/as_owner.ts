/**
 * What root does in the folders of other users, it does with their rights.
 *
 * Whoever may change a folder decides at any moment where the paths through it lead, and what lies beside
 * a database. No look at a path holds until its next use; so root looks for the first folder on the way
 * that is not root's alone, and does what is beyond it as the user whose that folder is. Then a link
 * leads that user to what he could have reached without it.
 */
import { lstatSync, readFileSync, readlinkSync, type Stats } from 'node:fs'
import { userInfo } from 'node:os'
import { join, resolve } from 'node:path'
import { isRootsGroup } from './roots_group.js'
import { StartError } from './start_error.js'

/** The user who decides where a path leads. */
export interface PathOwner {
  uid: number
  gid: number
  /** What to call him, in words for an operator. */
  name: string
  /** The first folder on the way that is his. */
  folder: string
}

const ROOT = 0

/** The group of whoever is in none: a user without a name has no groups that could be looked up. */
const NOGROUP = 65_534

/** As the kernel counts them before it gives up. */
const MOST_LINKS = 40

/** Where there is a root; the types know of no initgroups. */
type Identity = Required<Pick<NodeJS.Process, 'seteuid' | 'setegid' | 'setgroups'>> & {
  initgroups(user: string, gid: number): void
}

const STICKY = 0o1000

/** As whom this process acts now, undefined for itself. */
let acting: PathOwner | undefined

const own = { gid: process.getegid?.() ?? 0, groups: process.getgroups?.() ?? [] }

/**
 * @returns undefined if root alone decides where the path leads, and for every other user than root, who
 * has no rights to lend
 * @throws StartError if several users do
 */
export function ownerOf(path: string): PathOwner | undefined {
  if (!isRoot()) return undefined
  return asOwner(undefined, () => {
    const found = firstForeign(resolve(path))
    return found && { ...nameAndGroup(found.uid), ...found }
  })
}

export function isSameOwner(one: PathOwner | undefined, other: PathOwner | undefined): boolean {
  return one?.uid === other?.uid
}

/** {@link asOwner} of {@link ownerOf} the path. */
export function asOwnerOf<T>(path: string, work: () => T): T {
  return asOwner(ownerOf(path), work)
}

/**
 * Works with the owner's user, group and groups, or within such work as root again.
 *
 * @param work must end before it returns: these rights are the whole process's
 */
export function asOwner<T>(owner: PathOwner | undefined, work: () => T): T {
  if (!isRoot()) return work()
  const before = acting
  try {
    become(owner)
    return work()
  } catch (error) {
    throw owner ? explained(error, owner) : error
  } finally {
    become(before)
  }
}

/** By the real user, which stays root's meanwhile. */
function isRoot(): boolean {
  return process.getuid?.() === ROOT
}

function become(owner: PathOwner | undefined): void {
  if (owner === acting) return
  const { seteuid, setegid, setgroups, initgroups } = process as unknown as Identity
  const beRoot = () => {
    seteuid(ROOT)
    setgroups(own.groups)
    setegid(own.gid)
    acting = undefined
  }
  try {
    beRoot()
    if (owner === undefined) return
    if (owner.gid === NOGROUP) setgroups([])
    else initgroups(owner.name, owner.gid)
    setegid(owner.gid)
    seteuid(owner.uid)
    acting = owner
  } catch (error) {
    try {
      beRoot()
    } catch {
      // It lacks the right to change at all, which is told below.
    }
    const whom = owner ? `${owner.name}, to whom ${owner.folder} belongs` : 'root again'
    const { message } = error as Error
    throw new StartError(`root may not act here as ${whom} (${message}); run this as that user`)
  }
}

/** The system tells only of the user who acts: so this process has to be that user for a moment. */
function nameAndGroup(uid: number): { name: string; gid: number } {
  try {
    process.seteuid?.(uid)
    const { username, gid } = userInfo()
    return { name: username, gid }
  } catch {
    return { name: `user ${uid}`, gid: NOGROUP }
  } finally {
    process.seteuid?.(ROOT)
  }
}

/** Walks from the root; a folder that it goes on from can be changed by root alone. */
function firstForeign(path: string): { folder: string; uid: number } | undefined {
  const left = partsOf(path)
  let at = '/'
  let isOpen = false
  let links = 0
  for (let part = left.shift(); part !== undefined; part = left.shift()) {
    const next = join(at, part)
    const stat = lstatSync(next, { throwIfNoEntry: false })
    const leadsOn = stat?.isDirectory() || stat?.isSymbolicLink()
    if (isOpen && !leadsOn) {
      throw new StartError(
        `everybody may make files in ${at}, and so what root takes for ${next}, or puts there, could ` +
          'be changed by others; use a folder of its own, that only root may write to',
      )
    }
    if (!stat || !leadsOn) return undefined
    if (stat.uid !== ROOT && (isOpen || stat.isDirectory())) return { folder: next, uid: stat.uid }
    if (stat.isSymbolicLink()) {
      links += 1
      if (links > MOST_LINKS) throw new StartError(`${path}: too many links lead to each other`)
      const target = readlinkSync(next)
      if (target.startsWith('/')) {
        at = '/'
        isOpen = false
      }
      left.unshift(...partsOf(target))
      continue
    }
    isOpen = isForEverybody(next, stat)
    at = next
  }
  return undefined
}

/**
 * @returns whether everybody may make names in root's folder, though take none away, as in /tmp
 * @throws StartError if others may do that too
 */
function isForEverybody(folder: string, { mode, gid }: Stats): boolean {
  const writable = (mode & 0o002) !== 0 || ((mode & 0o020) !== 0 && !isRootsGroup(gid, groupFile()))
  if (!writable || (mode & STICKY) !== 0) return writable
  const shown = (mode & 0o7777).toString(8).padStart(4, '0')
  throw new StartError(
    `${folder} belongs to root, and others may write to it too (mode ${shown}): they could lead root ` +
      `elsewhere; give it to the user whose it is (chown USER ${folder}), or close it (chmod go-w ${folder})`,
  )
}

function groupFile(): string {
  try {
    return readFileSync('/etc/group', 'utf8')
  } catch {
    return ''
  }
}

function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.')
}

const told = new WeakSet<Error>()

/** Root, who is refused nothing, shall know why it was. */
function explained(error: unknown, { name, folder }: PathOwner): unknown {
  if (!(error instanceof Error)) return error
  const refusal = [error, error.cause].find(isRefusal)
  if (!refusal || told.has(refusal)) return error
  told.add(refusal)
  error.message += ` (as ${name}, to whom ${folder} belongs)`
  return error
}

function isRefusal(error: unknown): error is Error {
  const refusals = /^(EACCES|EPERM|SQLITE_CANTOPEN|SQLITE_READONLY)/
  return error instanceof Error && 'code' in error && refusals.test(String(error.code))
}
