/** `relyd service install`: lays relyd down as a service of systemd, on this host or in an image. */
import { existsSync } from 'node:fs'
import { loadConfig } from '../config/load.js'
import { sampleConfig } from '../config/sample.js'
import { StartError } from '../start_error.js'
import { addKey } from '../store/key_admin.js'
import { isOurs, ownerIn, type SocketOwner } from './header.js'
import { HostFiles } from './host_files.js'
import { findPrograms } from './programs.js'
import { isBooted, isUser, requireRoot, run, runs } from './systemctl.js'
import { type Tell, teller } from './telling.js'
import {
  CONFIG,
  KEY,
  type Programs,
  relydService,
  relydSocket,
  siteSocket,
  sysusers,
  tmpfiles,
  UNITS,
  unitOf,
} from './units.js'

export interface ServiceOptions {
  /** Folder of an image; absent: this host. */
  root?: string
  /** Says what would be done, and does nothing. */
  dryRun?: boolean
  /** Tells the operator one line. */
  say(line: string): void
}

export interface InstallOptions extends ServiceOptions, Partial<Programs> {
  sockets: readonly SocketOwner[]
}

export const SYSUSERS = '/etc/sysusers.d/relyd.conf'
export const TMPFILES = '/etc/tmpfiles.d/relyd.conf'

/**
 * Run again, it replaces what it laid down before, and nothing else. In an image it runs nothing.
 *
 * @throws StartError, StoreError
 */
export function installService(options: InstallOptions): void {
  const { root = '/', dryRun = false, sockets, say } = options
  const files = new HostFiles(root, dryRun)
  if (files.isHost && !dryRun) requireRoot('install')
  const programs = findPrograms(files, options)
  const tell = teller(dryRun, say)
  const put = (path: string, text: string) => putOurs(files, path, text, tell)
  put(`${UNITS}/relyd.service`, relydService(programs))
  put(`${UNITS}/relyd.socket`, relydSocket())
  for (const owner of [...earlierSockets(files, sockets), ...sockets]) {
    put(`${UNITS}/${unitOf(owner.listener)}`, siteSocket(owner))
  }
  put(SYSUSERS, sysusers())
  put(TMPFILES, tmpfiles())
  if (files.lstat(CONFIG)) tell('kept', `${CONFIG}: it is there already`)
  else {
    files.write(CONFIG, sampleConfig(), 0o644)
    tell('write', CONFIG)
  }
  if (files.isHost) serveHost(options, dryRun)
  else sayNextInImage(root, sockets, say)
}

/** What an image leaves to the host that it will run on: a key, and what systemd must hear of. */
function serveHost({ sockets, say }: InstallOptions, dryRun: boolean): void {
  const tell = teller(dryRun, say)
  makeKey(dryRun, tell)
  const running = isBooted()
  const commands = [
    ['systemd-sysusers', SYSUSERS],
    ['systemd-tmpfiles', '--create', TMPFILES],
    ...(running ? [['systemctl', 'daemon-reload']] : []),
  ]
  for (const [program = '', ...args] of commands) {
    tell('run', [program, ...args].join(' '))
    if (!dryRun) run(program, ...args)
  }
  sayNext(sockets, running && runs('relyd.service'), say)
}

/** The sockets of an earlier install, which are brought up to date without being asked for again. */
function earlierSockets(files: HostFiles, asked: readonly SocketOwner[]): SocketOwner[] {
  const units = files.list(UNITS).filter((name) => /^relyd-[\w-]+\.socket$/.test(name))
  return units.flatMap((name) => {
    const path = `${UNITS}/${name}`
    const text = files.lstat(path)?.isFile() ? files.read(path) : ''
    const owner = isOurs(text) ? ownerIn(text) : undefined
    const isAsked = asked.some(({ listener }) => unitOf(listener) === name)
    return owner && !isAsked && unitOf(owner.listener) === name ? [owner] : []
  })
}

function putOurs(files: HostFiles, path: string, text: string, tell: Tell): void {
  const stat = files.lstat(path)
  if (stat?.isSymbolicLink()) {
    tell('KEPT', `${path}: it is a link, of whoever made it (a masked unit leads to /dev/null)`)
    return
  }
  if (stat && !stat.isFile()) throw new StartError(`${path} is not a file; remove it`)
  const old = stat && files.read(path)
  if (old !== undefined && !isOurs(old)) {
    tell(
      'KEPT',
      `${path}: relyd did not lay it down; remove it to have relyd's, and change that by drop-ins`,
    )
  } else if (old === text && stat && (stat.mode & 0o777) === 0o644) {
    tell('same', path)
  } else {
    files.write(path, text, 0o644)
    tell(old === undefined ? 'write' : 'replace', path)
  }
}

/** Never another one: what a lost key encrypted is lost. */
function makeKey(dryRun: boolean, tell: Tell): void {
  if (existsSync(KEY)) {
    tell('kept', `${KEY}: it is there already`)
    return
  }
  if (!dryRun) {
    // As root sees it: where the daemon will have its state, without what a unit brings.
    const { database } = loadConfig(CONFIG, {}).daemon
    addKey({ database, key_file: KEY })
  }
  tell('write', `${KEY}, a new key`)
}

function sayNext(
  sockets: readonly SocketOwner[],
  isRunning: boolean,
  say: ServiceOptions['say'],
): void {
  const units = ['relyd.service', ...sockets.map(({ listener }) => unitOf(listener))].join(' ')
  say('')
  say('Next:')
  for (const { listener, user } of sockets.filter(({ user }) => !isUser(user))) {
    say(`- Make the user ${user}: without it ${unitOf(listener)} cannot start`)
  }
  say(`- Back up ${KEY} now, apart from the database: what a lost key encrypted is lost.`)
  sayListeners(sockets, say)
  say(`- Look over ${CONFIG}, and check it: relyd check-config`)
  if (isRunning) say(`- Take it over: systemctl enable ${units} && systemctl restart relyd.service`)
  else say(`- Start it, now and with the host: systemctl enable --now ${units}`)
  say('- Let a website connect: usermod --append --groups relyd USER, and restart the website')
}

function sayNextInImage(
  root: string,
  sockets: readonly SocketOwner[],
  say: ServiceOptions['say'],
): void {
  const units = ['relyd.service', ...sockets.map(({ listener }) => unitOf(listener))].join(' ')
  say('')
  say('Next:')
  sayListeners(sockets, say)
  say(`- Start it with the host: systemctl --root=${root} enable ${units}`)
  say('- Give each host a key of its own, on the host and before the first start:')
  say(`    relyd key add --key-file ${KEY}`)
  say('  One in the image would be the key of all who have the image.')
}

function sayListeners(sockets: readonly SocketOwner[], say: ServiceOptions['say']): void {
  for (const { listener } of sockets) {
    say(`- Add the [listener ${listener}] to ${CONFIG} that ${unitOf(listener)} shows`)
  }
}
