/** What a login, or its site's registration, demands of the ID Token beyond the request's `max_age`. */
import type { Seconds } from '../clock.js'
import { refused } from '../refused.js'
import type { Login, Site } from '../store/store.js'
import type { AuthorizationRequest } from './authorization.js'
import { acrWishOf, claimOf, valuesOf } from './authorization_checks.js'
import { objectOf, partsOf } from './jwt_parts.js'

type Essential = NonNullable<Login['secrets']['essential']>

/**
 * @returns undefined where the request demands nothing
 * @throws CommandError `invalid_request` where two demands exclude each other
 */
export function demandsOf(
  { settings }: Site,
  { claims, require_acr, acr_values, id_token_hint }: AuthorizationRequest,
): Essential | undefined {
  if (!claims && !require_acr && id_token_hint === undefined) return undefined
  const wish = acrWishOf(claims)
  const isPresent = claimOf(claims, 'acr')?.['essential'] === true
  const required = require_acr ? (wish?.values ?? acr_values ?? settings.acr_values) : wish?.values
  // OIDC Core 5.5.1: without values, any.
  const acr = require_acr || isPresent ? (required ?? []) : undefined
  const sub = subsOf(claims, id_token_hint)
  const auth_time = claimOf(claims, 'auth_time')?.['essential'] === true
  const essential: Essential = {
    ...(acr && { acr }),
    ...(sub && { sub }),
    ...(auth_time && { auth_time }),
  }
  return Object.keys(essential).length > 0 ? essential : undefined
}

/** OIDC Core 3.1.2.1, 3.1.2.2, 5.5.1: another End-User than those that were named must not come back. */
function subsOf(
  claims: Record<string, unknown> | undefined,
  id_token_hint: string | undefined,
): string[] | undefined {
  const named = valuesOf(claimOf(claims, 'sub'))
  const hinted = id_token_hint === undefined ? undefined : subOfHint(id_token_hint)
  if (hinted === undefined) return named
  if (named && !named.includes(hinted)) {
    throw refused('claims.id_token.sub', 'names another End-User than the hint does')
  }
  return [hinted]
}

/**
 * It only narrows who may log in, so that nobody has to have verified it. One that is encrypted (for
 * the OP, OIDC Core 3.1.2.1) says nothing here.
 */
function subOfHint(id_token_hint: string): string | undefined {
  const parts = partsOf(id_token_hint)
  const isEncrypted = parts?.length === 5
  const claims = readObject(parts?.[isEncrypted ? 0 : 1] ?? '')
  if (!claims || (!isEncrypted && parts?.length !== 3)) {
    throw refused('id_token_hint', 'is no JWT; give the id_token of an earlier login as it came')
  }
  if (isEncrypted) return undefined
  const { sub } = claims
  if (typeof sub === 'string' && sub !== '') return sub
  throw refused('id_token_hint', 'names no End-User (sub); give the id_token of an earlier login')
}

/** Undefined also for one that is nested too deeply, which here is no fault of an OP's. */
function readObject(text: string): Record<string, unknown> | undefined {
  try {
    return objectOf(text)
  } catch {
    return undefined
  }
}

type Registered = Pick<Site, 'client' | 'settings' | 'registered_by'>

/**
 * The stricter of what the site wished for and what the OP answered, which may have dropped it
 * (RFC 7591 3.2.1).
 */
export function defaultMaxAge({ client, settings }: Registered): Seconds | undefined {
  const both = [settings.metadata?.['default_max_age'], client['default_max_age']]
  const known = both.filter((one) => typeof one === 'number')
  return known.length > 0 ? Math.min(...known) : undefined
}

/** The same, where the OP has not said that it knows it. */
export function untoldMaxAge(site: Registered): Seconds | undefined {
  const max_age = defaultMaxAge(site)
  const isKnown = site.registered_by === 'relyd' && max_age === site.client['default_max_age']
  return isKnown ? undefined : max_age
}

/** Whether either of them says so. */
export function requiresAuthTime({ client, settings }: Registered): boolean {
  const name = 'require_auth_time'
  return client[name] === true || settings.metadata?.[name] === true
}
