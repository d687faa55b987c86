/** What tests need of the machine: where it is missing they are skipped and say so, but not in CI. */
import { spawnSync } from 'node:child_process'

const found = new Map<string, boolean>()

/** @returns whether the machine has it, asked once a test file */
export function required(what: string, probe: () => boolean): boolean {
  const known = found.get(what)
  if (known !== undefined) return known
  const is_there = probe()
  found.set(what, is_there)
  if (is_there) return true
  if (process.env['CI']) throw new Error(`CI needs ${what}; see .ci/run`)
  console.warn(`skipped: this machine lacks ${what}`)
  return false
}

/** {@link required} for what a machine may forbid, CI's too, whatever is installed. */
export function permitted(what: string, probe: () => boolean): boolean {
  const is_there = found.get(what) ?? probe()
  if (!is_there && !found.has(what)) console.warn(`skipped: this machine forbids ${what}`)
  found.set(what, is_there)
  return is_there
}

/** Mounts in a namespace of its own, as root in it; containers often forbid it. */
export function canMount(): boolean {
  return permitted('unshare --map-root-user --mount', () =>
    succeeds('unshare', '-rm', 'mount', '-t', 'tmpfs', 'none', '/mnt'),
  )
}

export function hasStrace(): boolean {
  return required('strace', () => succeeds('strace', '-V'))
}

export function hasZsh(): boolean {
  return required('zsh', () => succeeds('zsh', '--version'))
}

/** Gives files away, and runs programs as other users. */
export function isRoot(): boolean {
  return required('root', () => process.getuid?.() === 0)
}

function succeeds(program: string, ...args: string[]): boolean {
  return spawnSync(program, args).status === 0
}
