/**
 * Keeps apart what several OPs answer to one website, so that none gets a code of another's
 * (mix-up, RFC 9700 4.4).
 */

import { sha256 } from '../digest.js'
import { bounded, CommandError } from '../errors.js'
import type { Login, Place, Site, Store } from '../store/store.js'
import type { OpSide } from './op_side.js'
import type { Provider } from './provider.js'

/** Stands in a redirect URI for the OP, so that one pattern gives each OP its own. */
const OP = '{op}'

/**
 * A redirect URI of this OP's alone: `{op}` becomes a name that its issuer always has.
 *
 * @param uri as the site gave it
 */
export function redirectUriFor(uri: string, issuer: string): string {
  return uri.includes(OP) ? uri.replaceAll(OP, nameOf(issuer)) : uri
}

function nameOf(issuer: string): string {
  return sha256(issuer).toString('base64url').slice(0, 16)
}

/**
 * RFC 9700 4.4.2.2: a response must have come to the login's own redirect URI, as far as the site
 * says where it came. A proxy may have taken the beginning of its path away, or put one before it.
 *
 * @param callback as the site passed it on
 * @throws CommandError `invalid_issuer`
 */
export function checkArrival(callback: string | undefined, login: Login): void {
  if (callback === undefined || !/^(https?:\/\/|\/)/i.test(callback)) return
  const wanted = new URL(login.redirect_uri)
  const came = URL.canParse(callback, wanted.href) ? new URL(callback, wanted.href) : undefined
  const fixed = [...wanted.searchParams]
  if (
    came &&
    (endsAs(came.pathname, wanted.pathname) || endsAs(wanted.pathname, came.pathname)) &&
    fixed.every(([name, value]) => came.searchParams.getAll(name).includes(value))
  ) {
    return
  }
  throw new CommandError(
    'invalid_issuer',
    "the callback came to another address than this login's redirect URI: it may be the answer of another OP",
    {
      details: { expected: wanted.origin + wanted.pathname },
      spec: 'RFC 9700 4.4',
      retryable: false,
    },
  )
}

/** Whole parts of a path. */
function endsAs(path: string, end: string): boolean {
  return path === end || (end !== '/' && path.endsWith(end))
}

/**
 * RFC 9700 4.4.2: whether a response tells by itself, or by its address, which OP it is of. Where an
 * OP does not name itself in its responses (RFC 9207), no other that does not may have its redirect
 * URI. With one that does there is no harm: its `iss` is compared wherever it comes.
 *
 * Of two it is the later one that is refused, so that nobody ends another's logins by coming beside:
 * a code of the earlier one's would need a login that began at the later one's OP.
 *
 * @param redirect_uris of a site that there is, or that is about to be
 * @param place of the site among those at one address
 * @throws CommandError `invalid_authorization_redirect_uri`
 */
export async function checkApart(
  store: OpsOfRedirectUris,
  op: OpSide,
  provider: Provider,
  realm: string,
  redirect_uris: readonly string[],
  place: Place,
): Promise<void> {
  if (namesItself(provider)) return
  const { issuer, op_host } = provider
  for (const redirect_uri of redirect_uris) {
    const other = await silentOther(store, op, issuer, realm, redirect_uri, place)
    if (!other) continue
    // Whose OP that is, is the operator's to know: another site has chosen it.
    op.log.warn(
      { redirect_uri, issuer, other_issuer: other.issuer },
      'two OPs that do not name themselves in their responses have one redirect URI',
    )
    throw new CommandError(
      'invalid_authorization_redirect_uri',
      `the redirect URI ${redirect_uri} is another OP's already, and neither that nor ${op_host} names itself in its responses (iss): give each OP its own, as with {op} in it`,
      {
        details: { field: 'authorization_redirect_uri', redirect_uri: bounded(redirect_uri) },
        spec: 'RFC 9700 4.4',
      },
    )
  }
}

/** Of a site that is there. */
export function placeOf({ name, settings, created_at, oxd_id }: Omit<Site, 'secrets'>): Place {
  return { of_operator: Boolean(name), since: settings.moved_at ?? created_at, oxd_id }
}

/** Of one that comes now. */
export function lastPlace(of_operator: boolean): Place {
  return { of_operator, since: Number.MAX_SAFE_INTEGER, oxd_id: '' }
}

type OpsOfRedirectUris = Pick<Store, 'issuersOfRedirectUri' | 'opsOfRedirectUri'>

/** @returns another OP of an earlier place that has this redirect URI and does not name itself */
async function silentOther(
  store: OpsOfRedirectUris,
  { providers }: OpSide,
  issuer: string,
  realm: string,
  redirect_uri: string,
  place: Place,
): Promise<{ op_host: string; issuer: string } | undefined> {
  const issuers = await store.issuersOfRedirectUri(realm, redirect_uri)
  if (issuers.every((one) => one === issuer)) return undefined
  for (const other of await store.opsOfRedirectUri(realm, redirect_uri, place)) {
    if (other.issuer === issuer) continue
    // Nobody's login waits for another OP: what is not known counts as one that does not.
    const known = await providers.known(other.op_host)
    if (!known || !namesItself(known)) return other
  }
  return undefined
}

/** RFC 9207 3. */
export function namesItself({ metadata }: Pick<Provider, 'metadata'>): boolean {
  return metadata.authorization_response_iss_parameter_supported === true
}
