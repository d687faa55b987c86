/** Which node and which relyd the unit runs, as paths that outlive an upgrade and that it can use. */
import { fileURLToPath } from 'node:url'
import { isRootsGroup } from '../roots_group.js'
import { StartError } from '../start_error.js'
import type { HostFiles } from './host_files.js'
import type { Programs } from './units.js'

/** Links that an installation of another version leaves where they are, in the order of a PATH. */
const FOLDERS = ['/usr/local/bin', '/usr/bin']

/** relyd's own, wherever npm has put it. */
const MAIN = fileURLToPath(new URL('../main.js', import.meta.url))

/** Where `npm install --global` puts it without a link. */
const MODULES = ['/usr/local/lib/node_modules', '/usr/lib/node_modules']

/** What the unit's sandbox hides. */
const HIDDEN: [folder: string, option: string][] = [
  ['/home', 'ProtectHome='],
  ['/root', 'ProtectHome='],
  ['/run/user', 'ProtectHome='],
  ['/tmp', 'PrivateTmp='],
  ['/var/tmp', 'PrivateTmp='],
]

/**
 * @param wanted paths that the operator names, instead of those that are found
 * @returns the programs that run this, by stable links where there are any; in an image, those that it has
 * @throws StartError for a program that the unit could not run, or that others could change
 */
export function findPrograms(files: HostFiles, wanted: Partial<Programs>): Programs {
  const node = wanted.node ?? find(files, process.execPath, 'node')
  const relyd = wanted.relyd ?? find(files, MAIN, 'relyd')
  check(files, node, 0o001, 'node')
  check(files, relyd, 0o004, 'relyd')
  return { node, relyd }
}

function find(files: HostFiles, running: string, name: 'node' | 'relyd'): string {
  const links = FOLDERS.map((folder) => `${folder}/${name}`)
  if (files.isHost) return links.find((link) => files.real(link) === files.real(running)) ?? running
  const modules = name === 'relyd' ? MODULES.map((folder) => `${folder}/relyd/dist/main.js`) : []
  const found = [...links, ...modules, running].find((path) => files.real(path) !== undefined)
  if (found !== undefined) return found
  throw new StartError(
    `there is no ${name} in the image: install it there first, or say with --${name} where it will be`,
  )
}

/** @param bit the permission that the user relyd needs */
function check(files: HostFiles, path: string, bit: number, name: string): void {
  const refused = (why: string) =>
    new StartError(
      `the unit cannot run ${path}: ${why}; install ${name} for all users, as with ` +
        '`npm install --global --prefix /usr/local`' +
        `, or name another one with --${name}`,
    )
  if (!/^\/[\w@+=:,./-]+$/.test(path)) {
    throw refused('a path in a unit must be absolute, of letters, digits and . _ - + = : , @')
  }
  const real = files.real(path)
  for (const place of [path, real ?? path]) {
    const hidden = HIDDEN.find(([folder]) => place.startsWith(`${folder}/`))
    if (hidden) throw refused(`${hidden[1]} hides ${hidden[0]} from it`)
  }
  if (real === undefined) throw refused('there is no such file')
  const owner = rootOf(files)
  for (const place of files.way(path)) {
    const stat = files.lstat(place)
    if (!stat || stat.isSymbolicLink()) continue
    const { mode, uid, gid } = stat
    if ((mode & 0o002) !== 0) throw refused(`everybody may write to ${place}, and so change it`)
    if (uid !== 0 && uid !== owner.uid) {
      throw refused(`${place} is not root's but of the user ${uid}, who may change it`)
    }
    if ((mode & 0o020) !== 0 && gid !== owner.gid && !isRootsGroup(gid, owner.group_file)) {
      throw refused(`the group ${gid} may write to ${place}, and so change it (chmod g-w)`)
    }
    const needed = place === real ? bit : 0o001
    if ((mode & needed) === 0) throw refused(`the user relyd may not read ${place}`)
  }
}

/** Who is root there: an image that is being built may be its builder's, until it is packed as root's. */
function rootOf(files: HostFiles): { uid: number; gid: number; group_file: string } {
  const stat = files.lstat('/')
  const groups = '/etc/group'
  const group_file = files.real(groups) === undefined ? '' : files.read(groups)
  return { uid: stat?.uid ?? 0, gid: stat?.gid ?? 0, group_file }
}
