/** Writes the cfg of a site that the operator added: without a secret, and for the site's user. */
import { isUtf8 } from 'node:buffer'
import { execFileSync } from 'node:child_process'
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  openSync,
  readFileSync,
  renameSync,
  type Stats,
  statSync,
} from 'node:fs'
import { dirname, resolve } from 'node:path'
import {
  ConfigError,
  checkProvisionable,
  makeTemporary,
  type ProvisionedSite,
  provisionedCfg,
  syncFolder,
  unlinkIfThere,
} from '@relyd/sdk/provision'
import { asOwner, ownerOf, type PathOwner } from '../as_owner.js'
import { CliError, exitCodes } from './exit_codes.js'

/** A cfg that can be written, as it was looked at before the daemon was told of its site. */
export interface SiteCfg {
  /** Absolute. */
  path: string
  text: string
  owner: { uid: number; gid: number; mode: number }
  /** Whose folder it lies in, if that is not root's. */
  keeper: PathOwner | undefined
  /** Whether nobody said who shall read it. */
  unowned: boolean
}

const NEW = '# Written by `relyd sites add`. It holds no secret.\n'

/**
 * Looks whether a cfg can be written, while nothing has been done yet.
 *
 * @param owner `USER`, `USER:GROUP` or numbers
 * @throws CliError, StartError
 */
export function prepareCfg(given: string, owner: string | undefined): SiteCfg {
  const path = resolve(given)
  const ids = owner === undefined ? undefined : idsOf(owner)
  const keeper = ownerOf(path)
  const present = asOwner(keeper, () => readPresent(path, keeper))
  const { text, stat } = present ?? { text: NEW }
  const mine = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0, mode: 0o600 }
  const kept = stat && { uid: stat.uid, gid: stat.gid, mode: stat.mode & 0o777 }
  const { uid } = ids ?? kept ?? keeper ?? mine
  if (mine.uid !== 0 && uid !== mine.uid) throw notOurs(path)
  if (keeper && uid !== keeper.uid) throw keptByAnother(path, keeper)
  return {
    path,
    text,
    owner: ids
      ? { ...ids, mode: kept?.mode ?? 0o640 }
      : (kept ?? { ...mine, ...(keeper && { uid, gid: keeper.gid }) }),
    keeper,
    unowned: !ids && !kept && !keeper && mine.uid === 0,
  }
}

/** Replaces the file as a whole; where its folder is the site's, with the rights of the site's user. */
export function writeCfg(cfg: SiteCfg, site: ProvisionedSite): void {
  try {
    asOwner(cfg.keeper, () => replace(cfg, site))
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new CliError(
      exitCodes.failed,
      `relyd has the site, but its cfg ${cfg.path} could not be written (${code ?? message}); mend that, then run this again with the same words`,
    )
  }
}

function replace({ path, text, owner }: SiteCfg, site: ProvisionedSite): void {
  const made = makeTemporary(path, provisionedCfg(text, path, site), (file) => {
    // As root, who alone may name any group; the file itself, wherever its name leads by now.
    asOwner(undefined, () => give(file, path, owner))
  })
  try {
    renameSync(made, path)
  } catch (error) {
    unlinkIfThere(made)
    throw error
  }
  syncFolder(dirname(path))
}

function give(file: number, path: string, owner: SiteCfg['owner']): void {
  try {
    const { uid, gid } = fstatSync(file)
    if (uid !== owner.uid || gid !== owner.gid) fchownSync(file, owner.uid, owner.gid)
    fchmodSync(file, owner.mode)
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'EPERM' ? notOurs(path) : error
  }
}

/**
 * Opened once, and never through a link: its folder may be the site's, who could have root read another
 * file in its place.
 */
function readPresent(
  path: string,
  keeper: PathOwner | undefined,
): { text: string; stat: Stats } | undefined {
  const refused = (why: string) => new CliError(exitCodes.failed, `${path} ${why}`)
  let file: number
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' && statSync(dirname(path), { throwIfNoEntry: false })) return undefined
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw new CliError(exitCodes.failed, `${dirname(path)} is no folder; make it first`)
    }
    if (code === 'ELOOP') throw refused('is a symbolic link; name the file itself')
    const cure = keeper ? `by ${keeper.name}; name` : 'by this user; run this with sudo, or name'
    throw refused(`cannot be read (${code}) ${cure} another file`)
  }
  try {
    const stat = fstatSync(file)
    if (!stat.isFile()) throw refused('is no file; name the cfg itself')
    if (stat.nlink > 1) throw refused('has several names (hard links); make it a file of its own')
    const bytes = readFileSync(file)
    if (!isUtf8(bytes)) throw refused('is not UTF-8; save it in that encoding')
    checkProvisionable(bytes.toString(), path)
    return { text: bytes.toString(), stat }
  } catch (error) {
    if (error instanceof ConfigError) throw new CliError(exitCodes.failed, error.message)
    throw error
  } finally {
    closeSync(file)
  }
}

function notOurs(path: string): CliError {
  return new CliError(
    exitCodes.failed,
    `only root may write ${path} for another user; run this with sudo`,
  )
}

function keptByAnother(path: string, { name, folder }: PathOwner): CliError {
  return new CliError(
    exitCodes.failed,
    `${folder} belongs to ${name}, who could lead root elsewhere: say --cfg-owner ${name}, or have ` +
      `${path} in a folder of root's or of the one to whom it shall belong`,
  )
}

/** The system's own programs know users of every source: files, LDAP, systemd. */
function idsOf(owner: string): { uid: number; gid: number } {
  const [, user, group] = /^([\w][\w.-]*)(?::([\w][\w.-]*))?$/.exec(owner) ?? []
  if (user === undefined) {
    throw new CliError(exitCodes.usage, '--cfg-owner must be USER or USER:GROUP')
  }
  return {
    uid: numberOf(user) ?? idOf(user, ['id', '-u', user]),
    gid:
      group === undefined
        ? idOf(user, ['id', '-g', user])
        : (numberOf(group) ?? idOf(group, ['getent', 'group', group], ([, , id]) => id)),
  }
}

function numberOf(name: string): number | undefined {
  return /^\d+$/.test(name) ? Number(name) : undefined
}

function idOf(
  name: string,
  [program, ...args]: [string, ...string[]],
  field: (parts: string[]) => string | undefined = ([id]) => id,
): number {
  try {
    const stdio: ['ignore', 'pipe', 'ignore'] = ['ignore', 'pipe', 'ignore']
    const answer = execFileSync(program, args, { encoding: 'utf8', stdio })
    const id = Number(field(answer.trim().split(':')))
    if (Number.isSafeInteger(id)) return id
  } catch {
    // Said below, in words.
  }
  throw new CliError(exitCodes.usage, `--cfg-owner: this host has no user or group ${name}`)
}
