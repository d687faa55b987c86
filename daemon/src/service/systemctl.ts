/** The host's systemd, asked through its own programs. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { StartError } from '../start_error.js'

/** Whether systemd runs this host, and not a container or a build; as sd_booted(3) tells. */
export function isBooted(): boolean {
  return existsSync('/run/systemd/system')
}

/** @throws StartError for who may not change the host */
export function requireRoot(command: string): void {
  if (process.getuid?.() === 0) return
  throw new StartError(
    `relyd service ${command} needs root: run it with sudo, with --root DIR for an image, or with --dry-run`,
  )
}

/** @throws StartError with what the program said, when it fails */
export function run(program: string, ...args: string[]): void {
  const { status, error, stderr } = spawnSync(program, args, { encoding: 'utf8' })
  if (status === 0) return
  const why = error?.message ?? stderr.trim().replaceAll('\n', '; ')
  throw new StartError(`${program} ${args.join(' ')} failed: ${why}`)
}

/** Whether the unit is active. */
export function runs(unit: string): boolean {
  return spawnSync('systemctl', ['is-active', '--quiet', unit]).status === 0
}

/** Whether the host knows the user, by whatever keeps its users. */
export function isUser(name: string): boolean {
  return spawnSync('id', ['-u', name]).status === 0
}
