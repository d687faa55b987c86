/** CPython 2.7, on which oxd-python ran: by its name, or one of pyenv's. */
import { spawnSync } from 'node:child_process'
import { required } from './required.js'

/** How to start an interpreter. */
export interface Python {
  command: string
  env: NodeJS.ProcessEnv
}

/** @returns undefined where there is none */
export function python27(): Python | undefined {
  const installed = spawnSync('pyenv', ['versions', '--bare'], { encoding: 'utf8' }).stdout ?? ''
  const versions = installed.split('\n').filter((version) => version.startsWith('2.7'))
  return [process.env, ...versions.map((PYENV_VERSION) => ({ ...process.env, PYENV_VERSION }))]
    .flatMap((env) => ['python2.7', 'python2'].map((command) => ({ command, env })))
    .find((candidate) => is(candidate, 'sys.version_info[:2] == (2, 7)'))
}

export function hasPython27(): boolean {
  return required('CPython 2.7 with its pip (pyenv install 2.7.18)', () => {
    const python = python27()
    return (
      python !== undefined &&
      spawnSync(python.command, ['-m', 'pip', '--version'], python).status === 0
    )
  })
}

/** @param condition of Python's, about `sys` */
export function is({ command, env }: Python, condition: string): boolean {
  return (
    spawnSync(command, ['-c', `import sys; sys.exit(not (${condition}))`], { env }).status === 0
  )
}
