/** Reads secrets that a cfg does not hold itself but names the files of: `client_secret_file = …`. */
import { isUtf8 } from 'node:buffer'
import { readFileSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { codeOf } from './cfg_file.js'
import type { Setting, Settings } from './cfg_section.js'
import { warnOnce } from './config_warning.js'
import { atPlace, ConfigError } from './errors.js'
import { withoutBom } from './ini_file.js'
import type { clientSecrets } from './site_keys.js'

/** Keys whose value may be in a file that `<key>_file` names. */
export type SecretKey = (typeof clientSecrets)[number] | 'idempotency_key'

/** No secret is longer; something else was named by mistake. */
const MOST_BYTES = 4096

/** Whether a file's mode lets every user of the host read it; of no meaning on Windows. */
export function mayOthersRead(path: string): boolean {
  return process.platform !== 'win32' && (statSync(path).mode & 0o004) !== 0
}

/**
 * @param path the cfg; relative paths in it count from its folder
 * @returns the value of the key, or what the file that `<key>_file` names has in its one line
 * @throws {ConfigError} if both are given, or the file cannot serve
 */
export function readSecret(settings: Settings, key: SecretKey, path: string): Setting | undefined {
  const setting = settings.get(key)
  const reference = settings.get(`${key}_file`)
  if (!reference) return setting
  if (setting) {
    const message = `"${key}_file" and "${key}" are both given; keep one`
    throw new ConfigError(path, reference.place, message)
  }
  const file = resolve(dirname(path), reference.value)
  const fault = (why: string, cause?: unknown) =>
    new ConfigError(path, reference.place, `"${key}_file": ${file} ${why}`, cause)
  const value = readLine(file, fault)
  if (mayOthersRead(file)) {
    const place = atPlace(path, reference.place)
    warnOnce(`${place} "${key}_file": every user of this host may read ${file}; "chmod o= ${file}"`)
  }
  return { value, place: reference.place }
}

function readLine(file: string, fault: (why: string, cause?: unknown) => ConfigError): string {
  let bytes: Buffer
  try {
    const stat = statSync(file)
    // Also for what has no end, and for a pipe that nobody writes to.
    if (!stat.isFile()) throw fault('is no file; name one that holds the secret and nothing else')
    if (stat.size > MOST_BYTES) {
      throw fault(`has more than ${MOST_BYTES} bytes; name a file with the secret and nothing else`)
    }
    bytes = readFileSync(file)
  } catch (error) {
    if (error instanceof ConfigError) throw error
    throw fault(
      `cannot be read (${codeOf(error)}); correct the path, or let this user read it`,
      error,
    )
  }
  const line = withoutBom(bytes.toString('utf8')).replace(/\r?\n$/, '')
  if (line.trim() === '') throw fault('is empty; write the secret into it')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what a secret must not have
  if (isUtf8(bytes) && !/[\x00-\x1f\x7f]/.test(line)) return line
  throw fault('must hold one line of text, the secret and nothing else')
}
