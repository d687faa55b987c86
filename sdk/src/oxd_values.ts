/** Values of oxd's cfgs that stood in its samples and that hardly anybody meant: left out, with a warning. */
import type { Settings } from './cfg_section.js'
import { warnOnce } from './config_warning.js'
import { atPlace } from './errors.js'
import { isLoopback } from './loopback.js'
import type { RegisterSiteParams } from './methods.js'

/** Those that relyd's logins use. */
const GRANTS: readonly string[] = ['authorization_code', 'implicit', 'refresh_token']

/**
 * Takes `grant_types` and `application_type` out of what a site registers with, where they do not
 * fit a website that logs in through relyd: an OP would refuse them, or grant what nobody uses.
 *
 * @param client where they were said
 */
export function leaveOutOxdValues(
  registration: RegisterSiteParams,
  client: Settings,
  path: string,
): RegisterSiteParams {
  const { grant_types, application_type, ...rest } = registration
  const isGood = {
    grant_types: grant_types?.every((grant) => GRANTS.includes(grant)),
    application_type: application_type !== 'native' || redirectUris(registration).every(isNative),
  }
  const leaveOut = (key: keyof typeof isGood, why: string) => {
    warnOnce(`${atPlace(path, client.get(key)?.place)} "${key}" is not used: ${why}`)
  }
  if (isGood.grant_types === false) {
    leaveOut(
      'grant_types',
      `relyd's logins use ${GRANTS.join(', ')}; left out, it is those that the site needs`,
    )
  }
  if (!isGood.application_type) {
    leaveOut(
      'application_type',
      'a native application comes back to http at a loopback address; this site is registered as web',
    )
  }
  return {
    ...rest,
    ...(isGood.grant_types && { grant_types }),
    ...(isGood.application_type && application_type && { application_type }),
  }
}

function redirectUris(registration: RegisterSiteParams): string[] {
  return [registration.authorization_redirect_uri, ...(registration.redirect_uris ?? [])]
}

/** OIDC Registration 2, application_type; own schemes a website has none of. */
function isNative(uri: string): boolean {
  const { protocol, hostname } = new URL(uri)
  return protocol === 'http:' && isLoopback(hostname.replace(/^\[(.*)\]$/, '$1'))
}
