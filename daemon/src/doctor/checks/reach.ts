/** Whether a website's user can connect to the sockets, tried as that user. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { type Finding, fault, note, warning } from '../finding.js'
import { modeOf, myself, type Obstacle, obstacleFor, type Person, personOf } from '../person.js'
import type { World } from '../world.js'

const run = promisify(execFile)

/** Connects to its argument and prints `ok`, or the system's code. Given as text: the user may not be able to read our files. */
const TRY = `require('net').connect(process.argv[1])
  .on('connect', function () { console.log('ok'); this.destroy() })
  .on('error', (error) => console.log(error.code))`

export async function reach({ users, config, daemon, signal }: World): Promise<Finding[]> {
  // What is not there nobody can reach, which is said once.
  if (users.length === 0 || (await daemon).state === 'down') return []
  const paths = config.listeners.flatMap(({ name, address }) =>
    address.kind === 'unix' ? [{ name, path: address.path }] : [],
  )
  const found = users.map(async (user) => {
    const person = await personOf(user)
    if (!person)
      return [warning(`user ${user}`, 'there is no such user on this host', 'getent passwd')]
    const me = myself()
    if (me.uid !== 0 && me.uid !== person.uid) {
      const why = 'only root can try what another user can reach; others can try it for themselves'
      return [note(`user ${person.name}`, why, `sudo relyd doctor --user ${person.name}`)]
    }
    const tried = paths.map(({ name, path }) => tryAs(person, name, path, signal))
    const findings = await Promise.all(tried)
    // With a socket for each website, nobody is to reach them all.
    const reached = findings.some((one) => one.length === 0)
    return reached ? [] : findings.flat()
  })
  return (await Promise.all(found)).flat()
}

async function tryAs(
  person: Person,
  listener: string,
  path: string,
  signal: AbortSignal,
): Promise<Finding[]> {
  const about = `user ${person.name}, [listener ${listener}]`
  const node = [process.execPath, '-e', TRY, path]
  const become = [
    'setpriv',
    `--reuid=${person.uid}`,
    `--regid=${person.gids[0]}`,
    '--init-groups',
    '--',
  ]
  const [program = '', ...args] = person.uid === myself().uid ? node : [...become, ...node]
  let answer: string
  try {
    const { stdout } = await run(program, args, {
      cwd: '/',
      env: { PATH: process.env['PATH'] },
      signal,
    })
    answer = stdout.trim()
  } catch {
    // No setpriv, or a Node that the user may not run: what modes say must do.
    answer = obstacleFor(person, path, 'write') ? 'EACCES' : 'ok'
  }
  if (answer === 'ok') return []
  if (answer !== 'EACCES' && answer !== 'EPERM') {
    return [fault(about, `cannot connect to ${path} (${answer})`, 'systemctl restart relyd')]
  }
  const obstacle = obstacleFor(person, path, 'write')
  if (!obstacle) {
    const why = `may not connect to ${path}, though its modes allow it: an access control list or a security module forbids it`
    return [fault(about, why, `getfacl ${path}; dmesg | grep -i denied`)]
  }
  const { path: closed, stats, verb } = obstacle
  const why = `may not ${verb} ${closed} (mode ${modeOf(stats)}, group ${stats.gid})`
  return [fault(about, why, cureOf(person, obstacle))]
}

function cureOf(person: Person, { path, is_folder, stats, of_group }: Obstacle): string {
  const enough = (stats.mode & (is_folder ? 0o010 : 0o020)) !== 0
  if (!enough) {
    if (!is_folder) return `set "mode = 0660" for the listener in relyd.cfg, then restart relyd`
    return of_group ? `chmod g+x ${path}` : `chmod o+x ${path}`
  }
  if (stats.gid === 0) {
    return `chgrp $(id -gn ${person.name}) ${path}, and run relyd as a user of its own`
  }
  return `usermod -aG $(stat -c %G ${path}) ${person.name}; then restart the website`
}
