/** Keeps the cfg's client from an OP, and its secret from a client, that the environment put there. */
import type { CfgSection, Settings } from './cfg_section.js'
import { warnOnce } from './config_warning.js'
import { atPlace, ConfigError } from './errors.js'

/**
 * @param section `[client]`, as it stands in the file
 * @param given what the environment says of it
 * @throws {ConfigError} if the environment sends the file's client to another OP than the file does
 */
export function checkGivenClient(section: CfgSection, given: Settings, path: string): void {
  const [id, secret, secretFile, op] = [
    'client_id',
    'client_secret',
    'client_secret_file',
    'op_host',
  ].map((key) => section.peek(key))
  const givenOp = given.get('op_host')
  if (givenOp && id?.value && !given.has('client_id') && givenOp.value !== op?.value) {
    const named = op?.value
      ? `the "op_host" on line ${op.place}`
      : 'the file, which has no "op_host"'
    throw new ConfigError(
      path,
      givenOp.place,
      `names another OP than ${named}, and the "client_id" on line ${id.place} is not for it: set ` +
        'RELYD_CLIENT_ID too, with RELYD_CLIENT_SECRET if it has one; or correct "op_host" in the file',
    )
  }
  const left = secret?.value ? secret : secretFile
  const hasSecret = given.has('client_secret') || given.has('client_secret_file')
  if (given.has('client_id') && left?.value && !hasSecret) {
    warnOnce(
      `${atPlace(path, left.place)} the client_secret is not used, as RELYD_CLIENT_ID names a client of its ` +
        'own; if that has a secret, give it as RELYD_CLIENT_SECRET or RELYD_CLIENT_SECRET_FILE',
    )
  }
}
