/** Writes the cfg of a site that the operator added: without a secret, and for the site's user. */
import { isUtf8 } from 'node:buffer'
import { execFileSync } from 'node:child_process'
import {
  closeSync,
  constants,
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
import { CliError, exitCodes } from './exit_codes.js'

/** A cfg that can be written, as it was looked at before the daemon was told of its site. */
export interface SiteCfg {
  /** Absolute. */
  path: string
  text: string
  owner: { uid: number; gid: number; mode: number }
  /** Whether nobody said who shall read it. */
  unowned: boolean
}

const NEW = '# Written by `relyd sites add`. It holds no secret.\n'

/**
 * Looks whether a cfg can be written, while nothing has been done yet.
 *
 * @param owner `USER`, `USER:GROUP` or numbers
 * @throws CliError
 */
export function prepareCfg(given: string, owner: string | undefined): SiteCfg {
  const path = resolve(given)
  const present = readPresent(path)
  const { text, stat } = present ?? { text: NEW }
  if (!statSync(dirname(path), { throwIfNoEntry: false })?.isDirectory()) {
    throw new CliError(exitCodes.failed, `${dirname(path)} is no folder; make it first`)
  }
  const mine = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0, mode: 0o600 }
  const kept = stat && { uid: stat.uid, gid: stat.gid, mode: stat.mode & 0o777 }
  const ids = owner === undefined ? undefined : idsOf(owner)
  if (mine.uid !== 0 && (ids ?? kept ?? mine).uid !== mine.uid) throw notOurs(path)
  return {
    path,
    text,
    owner: ids ? { ...ids, mode: kept?.mode ?? 0o640 } : (kept ?? mine),
    unowned: !ids && !kept && mine.uid === 0,
  }
}

/** Replaces the file as a whole, and follows no link: its folder may be the site's, and this user root. */
export function writeCfg(cfg: SiteCfg, site: ProvisionedSite): void {
  try {
    replace(cfg, site)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new CliError(
      exitCodes.failed,
      `relyd has the site, but its cfg ${cfg.path} could not be written (${code ?? message}); mend that, then run this again with the same words`,
    )
  }
}

function replace({ path, text, owner }: SiteCfg, site: ProvisionedSite): void {
  const made = makeTemporary(path, provisionedCfg(text, path, site), owner)
  try {
    const { uid, gid } = statSync(made)
    if (uid !== owner.uid || gid !== owner.gid) {
      throw notOurs(path)
    }
    renameSync(made, path)
  } catch (error) {
    unlinkIfThere(made)
    throw error
  }
  syncFolder(dirname(path))
}

/**
 * Opened once, and never through a link: its folder may be the site's, who could have root read another
 * file in its place.
 */
function readPresent(path: string): { text: string; stat: Stats } | undefined {
  const refused = (why: string) => new CliError(exitCodes.failed, `${path} ${why}`)
  let file: number
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    if (code === 'ELOOP') throw refused('is a symbolic link; name the file itself')
    throw refused(`cannot be read (${code}); run this with sudo, or name another file`)
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
