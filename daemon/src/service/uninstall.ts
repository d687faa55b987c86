/** `relyd service uninstall`: takes away what install laid down, and says what it leaves. */
import { isOurs } from './header.js'
import { HostFiles } from './host_files.js'
import { type ServiceOptions, SYSUSERS, TMPFILES } from './install.js'
import { isBooted, requireRoot, run } from './systemctl.js'
import { teller } from './telling.js'
import { CONFIG, FOLDER, KEY, pathOf, SOCKETS, STATE, UNITS } from './units.js'

export interface UninstallOptions extends ServiceOptions {
  /** Removes configuration, key and state too. */
  purge?: boolean
}

const UNIT = /^relyd(-[\w-]+)?\.(service|socket)$/

/** @throws StartError */
export function uninstallService(options: UninstallOptions): void {
  const { root = '/', dryRun = false, purge = false, say } = options
  const files = new HostFiles(root, dryRun)
  if (files.isHost && !dryRun) requireRoot('uninstall')
  const tell = teller(dryRun, say)
  const remove = (path: string) => {
    files.remove(path)
    tell('remove', path)
  }
  const isLaidDown = (path: string) =>
    files.lstat(path)?.isFile() === true && isOurs(files.read(path))

  const units = files.list(UNITS).filter((name) => UNIT.test(name))
  const ours = units.filter((name) => isLaidDown(`${UNITS}/${name}`))
  if (files.isHost && isBooted() && ours.length > 0) {
    tell('run', `systemctl disable --now ${ours.join(' ')}`)
    if (!dryRun) run('systemctl', 'disable', '--now', ...ours)
  }
  // Nobody listens on them any more; systemd leaves the files.
  const sockets = ours.flatMap((name) => socketOf(name) ?? [])
  for (const path of sockets) if (files.lstat(path)?.isSocket()) remove(path)
  for (const link of linksTo(files, ours)) remove(link)
  for (const name of ours) remove(`${UNITS}/${name}`)
  const wants = `${UNITS}/relyd.service.wants`
  if (files.removeIfEmpty(wants)) tell('remove', wants)
  for (const path of [SYSUSERS, TMPFILES]) if (isLaidDown(path)) remove(path)
  if (files.isHost && isBooted()) {
    tell('run', 'systemctl daemon-reload')
    if (!dryRun) run('systemctl', 'daemon-reload')
  }

  const kept = [
    ...units.filter((name) => !ours.includes(name)).map((name) => `${UNITS}/${name}`),
    ...files.list(UNITS).flatMap((name) => (/^relyd.*\.d$/.test(name) ? [`${UNITS}/${name}`] : [])),
  ]
  const precious = [CONFIG, KEY, STATE].filter((path) => files.lstat(path))
  if (purge) precious.forEach(remove)
  else kept.push(...precious)
  for (const folder of [FOLDER, ...(files.isHost ? [SOCKETS] : [])]) {
    if (files.removeIfEmpty(folder)) tell('remove', folder)
  }
  const what = ', with all sites and sessions; --purge removes it, for good'
  for (const path of kept) tell('kept', `${path}${path === STATE ? what : ''}`)
  if (files.isHost) tell('kept', 'the user and the group relyd; remove them with: userdel relyd')
}

function socketOf(unit: string): string | undefined {
  if (unit === 'relyd.socket') return pathOf('site')
  const [, listener] = /^relyd-([\w-]+)\.socket$/.exec(unit) ?? []
  return listener === undefined ? undefined : pathOf(listener)
}

/** Of units that are enabled: in an image nobody has disabled them. */
function linksTo(files: HostFiles, units: readonly string[]): string[] {
  const folders = files.list(UNITS).filter((name) => /\.(wants|requires)$/.test(name))
  return folders.flatMap((folder) =>
    files
      .list(`${UNITS}/${folder}`)
      .filter((name) => units.includes(name))
      .map((name) => `${UNITS}/${folder}/${name}`)
      .filter((path) => files.lstat(path)?.isSymbolicLink()),
  )
}
