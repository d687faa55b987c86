/** The cfg of a site that its operator added, for the command relyd: a website has no use for it. */
import { CfgSection } from './cfg_section.js'
import { ConfigError } from './errors.js'
import { setIniValue } from './ini_edit.js'
import { parseIniFile } from './ini_file.js'
import { escapePercent } from './interpolation.js'

export { makeTemporary, syncFolder, unlinkIfThere } from './cfg_file.js'
export { ConfigError } from './errors.js'

/** What a site's cfg says once its operator has added it: no secret. */
export interface ProvisionedSite {
  /** Where relyd listens for it. */
  address: { socket: string } | { host: string; port: number }
  oxd_id: string
  op_host: string
  authorization_redirect_uri: string
  post_logout_redirect_uri?: string | undefined
}

/** Keys that would keep a secret where it has no business to be any more. */
const SECRETS = ['client_secret', 'client_secret_file'] as const

/**
 * Sees that a cfg can be given to a site that its operator added.
 *
 * @throws {ConfigError} for a malformed file, and for one with a client_secret
 */
export function checkProvisionable(text: string, path: string): void {
  const client = new CfgSection(
    parseIniFile(text, path, () => {}),
    'client',
  )
  for (const key of SECRETS) {
    const setting = client.peek(key)
    if (!setting || setting.value === '') continue
    throw new ConfigError(
      path,
      setting.place,
      `holds a ${key}, which relyd keeps from now on; take the line out (and give the secret with --client-secret-file), then run this again`,
    )
  }
}

/**
 * Changes only what a provisioned site needs; comments and everything else stay.
 *
 * @param text a cfg that {@link checkProvisionable} passes, or nothing
 */
export function provisionedCfg(text: string, path: string, site: ProvisionedSite): string {
  const { address, oxd_id: id, op_host, authorization_redirect_uri } = site
  const { post_logout_redirect_uri = '' } = site
  const place =
    'socket' in address
      ? { ...address, host: '', port: '' }
      : { socket: '', host: address.host, port: String(address.port) }
  // A key that is left would register another site, once the id is taken out.
  const oxd = { ...place, id, idempotency_key: '' }
  const client = { op_host, authorization_redirect_uri, post_logout_redirect_uri }
  let changed = text
  for (const [section, values] of Object.entries({ oxd, client })) {
    for (const [key, value] of Object.entries(values)) {
      if (value === '' && !has(changed, path, section, key)) continue
      changed = setIniValue(changed, section, key, escapePercent(value))
    }
  }
  return changed
}

function has(text: string, path: string, section: string, key: string): boolean {
  const file = parseIniFile(text, path, () => {})
  const setting = new CfgSection(file, section).peek(key)
  return setting !== undefined && setting.value !== ''
}
