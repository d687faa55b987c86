/** What a login was asked with that its ID Token must fulfil, beyond its `max_age`. */
import { refused } from '../refused.js'
import type { Login, Site } from '../store/store.js'
import type { AuthorizationRequest } from './authorization.js'
import { acrWishOf, claimOf } from './authorization_checks.js'
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
  const isRequired = require_acr || wish?.essential
  const acr = isRequired ? (wish?.values ?? acr_values ?? settings.acr_values) : undefined
  const sub = subOf(claims, id_token_hint)
  const auth_time = claimOf(claims, 'auth_time')?.['essential'] === true
  const essential: Essential = {
    ...(acr && { acr }),
    ...(sub !== undefined && { sub }),
    ...(auth_time && { auth_time }),
  }
  return Object.keys(essential).length > 0 ? essential : undefined
}

/** OIDC Core 3.1.2.1, 3.1.2.2, 5.5.1: another End-User than the one that was named must not come back. */
function subOf(
  claims: Record<string, unknown> | undefined,
  id_token_hint: string | undefined,
): string | undefined {
  const { value } = claimOf(claims, 'sub') ?? {}
  const named = typeof value === 'string' ? value : undefined
  const hinted = id_token_hint === undefined ? undefined : subOfHint(id_token_hint)
  if (named !== undefined && hinted !== undefined && named !== hinted) {
    throw refused('claims.id_token.sub', 'names another End-User than the hint does')
  }
  return named ?? hinted
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
