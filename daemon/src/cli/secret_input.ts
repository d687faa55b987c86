/** Secrets that an operator gives to a command: from files and standard input, never as arguments. */
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { live } from '../live_secrets.js'
import { CliError, exitCodes } from './exit_codes.js'
import { complain } from './output.js'

/** No key or chain of certificates is longer; something else was named by mistake. */
const MOST_BYTES = 65_536

/** What stands for standard input. */
const STDIN = '-'

/**
 * A secret from the file that an option names; a file that others may read is warned about.
 *
 * @param option as the operator wrote it, such as `--client-secret-file`
 * @returns its text, without the last line ending
 */
export function readSecretInput(option: string, path: string): string {
  const text = read(option, path, true)
  // What this program prints from now on holds it no more.
  if (text.includes('PRIVATE KEY')) live.notePrivateKey(text)
  else live.note(text)
  return text
}

/** The same of what is no secret, such as a certificate. */
export function readInput(option: string, path: string): string {
  return read(option, path, false)
}

function read(option: string, path: string, secret: boolean): string {
  // A file's name is not repeated: it may be the secret itself, given in the wrong place.
  const wrong = (why: string) => new CliError(exitCodes.usage, `${option}: ${why}`)
  let text: string
  try {
    text = path === STDIN ? readFileSync(0, 'utf8') : readFrom(path, option, secret, wrong)
  } catch (error) {
    if (error instanceof CliError) throw error
    const { code } = error as NodeJS.ErrnoException
    throw wrong(
      `the file cannot be read (${code}); name one that this user may read, or - for standard input`,
    )
  }
  const line = text.replace(/^\ufeff/, '').replace(/\r?\n$/, '')
  if (line.trim() === '') throw wrong('it is empty')
  if (Buffer.byteLength(line) > MOST_BYTES) {
    throw wrong(`it has more than ${MOST_BYTES} bytes; name the file with the secret alone`)
  }
  return line
}

function readFrom(
  path: string,
  option: string,
  secret: boolean,
  wrong: (why: string) => CliError,
): string {
  const file = openSync(path, 'r')
  try {
    // Of what was opened. A pipe, as of <(…), is its maker's.
    const stat = fstatSync(file)
    if (stat.isDirectory()) throw wrong('that is a folder; name a file')
    if (stat.isFile() && stat.size > 2 * MOST_BYTES) throw wrong('the file is too large')
    if (secret && stat.isFile() && (stat.mode & 0o077) !== 0) {
      const mode = (stat.mode & 0o777).toString(8).padStart(4, '0')
      complain(
        `relyd: WARNING: the file of ${option} is open to other users of this host (mode ${mode}); give it mode 0600, or remove it now: relyd keeps the secret itself`,
      )
    }
    return readFileSync(file, 'utf8')
  } finally {
    closeSync(file)
  }
}

/** Standard input can be read once. @throws CliError */
export function refuseTwoInputs(paths: readonly (string | undefined)[]): void {
  if (paths.filter((path) => path === STDIN).length < 2) return
  throw new CliError(exitCodes.usage, 'standard input (-) can serve one option only')
}
