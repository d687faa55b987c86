/** Writes the cfg of a site that the operator added: without a secret, and for the site's user. */
import { execFileSync } from 'node:child_process'
import { lstatSync, renameSync, type Stats, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import {
  ConfigError,
  checkProvisionable,
  makeTemporary,
  type ProvisionedSite,
  provisionedCfg,
  readText,
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

/**
 * Looks whether a cfg can be written, while nothing has been done yet.
 *
 * @param owner `USER`, `USER:GROUP` or numbers
 * @throws CliError
 */
export function prepareCfg(given: string, owner: string | undefined): SiteCfg {
  const path = resolve(given)
  const present = statOf(path)
  const text = present ? readCfg(path) : `# Written by \`relyd sites add\`. It holds no secret.\n`
  if (!statSync(dirname(path), { throwIfNoEntry: false })?.isDirectory()) {
    throw new CliError(exitCodes.failed, `${dirname(path)} is no folder; make it first`)
  }
  const mine = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0, mode: 0o600 }
  const kept = present && { uid: present.uid, gid: present.gid, mode: present.mode & 0o777 }
  const ids = owner === undefined ? undefined : idsOf(owner)
  return {
    path,
    text,
    owner: ids ? { ...ids, mode: kept?.mode ?? 0o640 } : (kept ?? mine),
    unowned: !ids && !kept && mine.uid === 0,
  }
}

/** Replaces the file as a whole, and follows no link: its folder may be the site's, and this user root. */
export function writeCfg({ path, text, owner }: SiteCfg, site: ProvisionedSite): void {
  const made = makeTemporary(path, provisionedCfg(text, path, site), owner)
  try {
    const { uid, gid } = statSync(made)
    if (uid !== owner.uid || gid !== owner.gid) {
      throw new CliError(
        exitCodes.failed,
        `only root may give ${path} to another user; run this with sudo`,
      )
    }
    renameSync(made, path)
  } catch (error) {
    unlinkIfThere(made)
    throw error
  }
  syncFolder(dirname(path))
}

function statOf(path: string): Stats | undefined {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (!stat || stat.isFile()) return stat
  throw new CliError(
    exitCodes.failed,
    `${path} is ${stat.isSymbolicLink() ? 'a symbolic link' : 'no file'}; name the file itself`,
  )
}

function readCfg(path: string): string {
  try {
    const text = readText(path)
    checkProvisionable(text, path)
    return text
  } catch (error) {
    if (error instanceof ConfigError) throw new CliError(exitCodes.failed, error.message)
    throw error
  }
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
