/** What a cfg says of the site's registration. */
import { CfgSection } from './cfg_section.js'
import { parseIniFile } from './ini_file.js'
import { readSecret } from './secret_file.js'
import { readLine } from './site_values.js'

/** A registered site's id, or the key to register it with. */
export type RegistrationState = { id: string } | { idempotency_key: string }

/**
 * @param text the cfg's contents
 * @returns undefined if there is neither id nor key
 */
export function stateOf(text: string, path: string): RegistrationState | undefined {
  const file = parseIniFile(text, path, () => {})
  const oxd = new CfgSection(file, 'oxd').settings([
    'id',
    'idempotency_key',
    'idempotency_key_file',
  ])
  const id = oxd.get('id')
  if (id) return { id: readLine('id', id, path) }
  const key = readSecret(oxd, 'idempotency_key', path)
  return key && { idempotency_key: readLine('idempotency_key', key, path) }
}
