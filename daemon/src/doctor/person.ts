/** Users of the host, and what the modes of files and folders let them do. */
import { execFile } from 'node:child_process'
import { type Stats, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface Person {
  name: string
  uid: number
  /** Every group, the first one of its own. */
  gids: number[]
}

/** @returns undefined if there is no such user */
export async function personOf(name: string | number): Promise<Person | undefined> {
  try {
    // By the system's command, which asks whatever keeps this host's users.
    const id = async (flag: string) =>
      (await run('id', [flag, '--', String(name)], { timeout: 5000 })).stdout.trim()
    const [text, uid, gids] = await Promise.all([id('-un'), id('-u'), id('-G')])
    return { name: text, uid: Number(uid), gids: gids.split(' ').map(Number) }
  } catch {
    return undefined
  }
}

/** Whoever runs this. */
export function myself(): Person {
  const uid = process.getuid?.() ?? 0
  const gids = [process.getgid?.() ?? 0, ...(process.getgroups?.() ?? [])]
  return { name: uid === 0 ? 'root' : (process.env['USER'] ?? String(uid)), uid, gids }
}

const READ = 4
const WRITE = 2
const ENTER = 1

/** What is in the way of a user. */
export interface Obstacle {
  path: string
  is_folder: boolean
  stats: Stats
  /** What of it is not allowed, in words. */
  verb: string
  /** Whether the user is of its group, which then has too few rights. */
  of_group: boolean
}

/**
 * By modes and groups alone: access control lists are not looked at.
 *
 * @param wanted `write` is what connecting to a Unix socket takes
 * @returns the outermost folder, or the file, that keeps the user out
 */
export function obstacleFor(
  person: Person,
  path: string,
  wanted: 'read' | 'write',
): Obstacle | undefined {
  for (const folder of foldersOf(path)) {
    const found = obstacleAt(person, folder, ENTER, 'enter')
    if (found) return found
  }
  return obstacleAt(
    person,
    path,
    wanted === 'read' ? READ : WRITE,
    `${wanted} to`.replace('read to', 'read'),
  )
}

/** @returns the folders that lead to it, the outermost first */
export function foldersOf(path: string): string[] {
  const folder = dirname(resolve(path))
  return folder === dirname(folder) ? [folder] : [...foldersOf(folder), folder]
}

function obstacleAt(person: Person, path: string, bit: number, verb: string): Obstacle | undefined {
  const stats = statOf(path)
  if (!stats || person.uid === 0) return undefined
  const of_group = person.gids.includes(stats.gid)
  const bits = person.uid === stats.uid ? stats.mode >> 6 : of_group ? stats.mode >> 3 : stats.mode
  if ((bits & bit) !== 0) return undefined
  return { path, is_folder: stats.isDirectory(), stats, verb, of_group }
}

export function statOf(path: string): Stats | undefined {
  try {
    return statSync(path)
  } catch {
    return undefined
  }
}

/** As chmod takes it. */
export function modeOf({ mode }: Pick<Stats, 'mode'>): string {
  return (mode & 0o777).toString(8).padStart(4, '0')
}
