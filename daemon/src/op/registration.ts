/** Dynamic client registration (RFC 7591): what is asked, shown and answered. */
import * as client from 'openid-client'
import type { Seconds } from '../clock.js'
import { bounded, boundedIn, CommandError } from '../errors.js'
import type { ClientMetadata, Site, SiteSecrets } from '../store/store.js'
import { useHttpLayer } from './client.js'
import { relydsOwnMembers } from './client_metadata.js'
import { insecureIfAllowed } from './discovery.js'
import { initialAccessToken } from './initial_access_token.js'
import { asCommandError, memberDetails } from './op_errors.js'
import type { OpSide } from './op_side.js'
import { withOwnKeys } from './own_key_wishes.js'
import { withToldKeys } from './own_keys.js'
import { plainMembers } from './plain_members.js'
import type { Provider } from './provider.js'
import { explicitMembers, type RegistrationWishes, requestOf } from './registration_request.js'

/** Codes that a registration at the OP can end with. */
export const registrationErrors = [
  'op_host_not_allowed',
  'op_unreachable',
  'op_error',
  'invalid_op_response',
] as const

export interface Registration {
  client: ClientMetadata
  secrets: SiteSecrets
  /** How the client was to authenticate; absent where nobody was asked. */
  asked_method?: unknown
}

/**
 * RFC 7591 3: registers a client at the OP.
 *
 * @param secrets what the site gave to be let in with, and the keys that it has; part of the answer
 * @throws CommandError with one of {@link registrationErrors}, or `invalid_request` when the OP
 * offers no registration, or not what was asked for
 */
export async function registerClient(
  op: OpSide,
  provider: Provider,
  wishes: RegistrationWishes,
  secrets: SiteSecrets = {},
): Promise<Registration> {
  const { metadata, op_host } = provider
  if (metadata.registration_endpoint === undefined) {
    throw new CommandError(
      'invalid_request',
      `${op_host} offers no dynamic registration; give the client_id and client_secret that its operator issued`,
      { details: { field: 'client_id' } },
    )
  }
  const { request, own_keys } = await withOwnKeys(
    requestOf(metadata, wishes),
    metadata,
    op.clock(),
    secrets.own_keys,
  )
  const token = await initialAccessToken(op, provider, secrets)
  let answered: client.ClientMetadata
  try {
    const configuration = await client.dynamicClientRegistration(
      new URL(provider.issuer),
      request as Partial<client.ClientMetadata>,
      client.None(),
      {
        [client.customFetch]: withKnownMetadata(op, provider),
        timeout: op.http.timeout,
        execute: insecureIfAllowed(op_host),
        ...(token !== undefined && { initialAccessToken: token }),
      },
    )
    answered = configuration.clientMetadata()
  } catch (error) {
    throw withCure(await asCommandError(error, 'RFC 7591 3.2.1'), token !== undefined)
  }
  const registration = readRegistration(answered)
  return withToldKeys(
    {
      ...registration,
      secrets: { ...secrets, ...registration.secrets },
      asked_method: request['token_endpoint_auth_method'],
    },
    own_keys,
    op.clock(),
  )
}

/** RFC 6750 3.1: what can be done about a refusal. */
function withCure(error: CommandError, shown: boolean): CommandError {
  if (error.code !== 'op_error' || ![401, 403].includes(Number(error.details?.['http_status']))) {
    return error
  }
  const cure = shown
    ? 'it does not take the initial_access_token that it was shown; get a fresh one of it'
    : 'it may want an initial_access_token: give one, or have the operator name one in relyd.cfg'
  return new CommandError('op_error', `${error.message}; ${cure}`, {
    details: error.details,
    cause: error,
  })
}

/**
 * RFC 7591 3.2.1: what is kept of an OP's answer, which may have changed whatever was asked for.
 *
 * @throws CommandError `invalid_op_response` for what cannot be kept
 */
export function readRegistration(answered: client.ClientMetadata): Registration {
  const { client_secret: _, registration_access_token: __, ...rest } = answered
  const kept = plainMembers(rest)
  for (const name of relydsOwnMembers) delete kept[name]
  // RFC 7591 3.2.1. Nothing that is sent to an OP would do without it.
  if (typeof kept['client_id'] !== 'string' || kept['client_id'] === '') {
    throw unusable('has no client_id, or one that is too long', { member: 'client_id' })
  }
  for (const name of Object.keys(kept)) if (isUnsaid(name, kept[name])) delete kept[name]
  for (const name of ['token_endpoint_auth_method', 'id_token_signed_response_alg']) {
    if (typeof (kept[name] ?? rest[name] ?? '') === 'string') continue
    throw unusable(`has a ${name} that is no text`, memberDetails(name, answered))
  }
  // RFC 7591 2: seconds. openid-client fails at each login with anything else.
  if (!Number.isSafeInteger(kept['default_max_age']) || Number(kept['default_max_age']) < 0) {
    delete kept['default_max_age']
  }
  const secrets = usableSecrets(answered)
  for (const name of Object.keys(LONGEST) as (keyof typeof LONGEST)[]) {
    const value = answered[name]
    if (typeof value !== 'string' || value.length <= LONGEST[name]) continue
    throw unusable(`has a ${name} of ${value.length} characters; relyd keeps ${LONGEST[name]}`, {
      member: name,
    })
  }
  const expires_at = secondsOf(kept['client_secret_expires_at'])
  if (expires_at !== undefined) kept['client_secret_expires_at'] = expires_at
  return {
    client: kept as ClientMetadata,
    secrets,
  }
}

/** What some OPs write in the place of a member that is not there; `none` of UserInfo is plain JSON. */
function isUnsaid(name: string, value: unknown): boolean {
  if (name === 'userinfo_signed_response_alg' && value === 'none') return true
  return /_(alg|enc)$/.test(name) && value === ''
}

/** Characters: beyond all that OPs make, and little enough for a site's row and a header. */
const LONGEST = { client_secret: 4096, registration_access_token: 16_384 } as const

/** RFC 6749 A.2, A.12: VSCHAR. What has others cannot be sent in a header (RFC 6750 2.1). */
const VSCHARS = /^[\x20-\x7e]+$/

/** What an OP put in the place of tokens and secrets, as far as it can be used; the rest counts as not said. */
export function usableSecrets(
  answered: client.ClientMetadata,
): Pick<SiteSecrets, keyof typeof LONGEST> {
  const usable = Object.entries(LONGEST).filter(([name, longest]) => {
    const value = answered[name]
    return typeof value === 'string' && value.length <= longest && VSCHARS.test(value)
  })
  return Object.fromEntries(usable.map(([name]) => [name, answered[name]]))
}

/** RFC 7591 3.2.1: whole seconds, and 0 for never. */
function secondsOf(value: unknown): Seconds | undefined {
  const seconds = Math.floor(Number(value))
  return typeof value === 'number' && Number.isSafeInteger(seconds) && seconds >= 0
    ? seconds
    : undefined
}

/** What a site asks for to have its claims signed or encrypted that would not be so otherwise. */
const PROTECTED = [
  'id_token_encrypted_response_alg',
  'userinfo_signed_response_alg',
  'userinfo_encrypted_response_alg',
] as const

function isProtected(alg: unknown): boolean {
  return typeof alg === 'string' && alg !== 'none'
}

/**
 * Refuses a registration with which no login of the site could end well, whatever the OP changed.
 *
 * @param asked_method how the client was to authenticate
 * @throws CommandError `invalid_op_response`
 */
export function checkAnswered(
  { registered_by, client, secrets, redirect_uri, settings }: Site,
  now: Seconds,
  asked_method: unknown,
): void {
  if (registered_by === 'operator') return
  if (client.token_endpoint_auth_method === 'none' && asked_method !== 'none') {
    throw new CommandError(
      'invalid_op_response',
      "the OP registered the site with token_endpoint_auth_method none, which it was not asked for: anybody could use the client; ask for the method that the OP's operator wants, or for none",
      {
        details: { field: 'token_endpoint_auth_method', expected: asked_method, received: 'none' },
      },
    )
  }
  const { client_secret_expires_at: expires_at } = client
  if (secrets.client_secret !== undefined || expires_at !== undefined) {
    const shown = memberDetails('client_secret_expires_at', client)
    // RFC 7591 3.2.1.
    if (secondsOf(expires_at) === undefined) {
      throw unusable('has a client_secret_expires_at that is no time', shown)
    }
    if (expires_at !== 0 && Number(expires_at) <= now) {
      throw unusable('has a client_secret_expires_at that is over already; check the clocks', {
        ...shown,
        expected: { now },
      })
    }
  }
  for (const name of PROTECTED) {
    const asked = settings.metadata?.[name]
    if (asked === undefined || asked === 'none' || isProtected(client[name])) continue
    // RFC 7591 3.2.1 lets it; a site that asked would be shown less protected claims as if they were more.
    throw new CommandError(
      'invalid_op_response',
      `the OP registered the site without the ${name} that it asked for`,
      {
        details: { field: name, expected: bounded(String(asked), 64) },
        spec: 'RFC 7591 3.2.1',
      },
    )
  }
  const { response_type = 'code' } = settings
  const lists: [name: string, wanted: string][] = [
    ['redirect_uris', redirect_uri],
    ['response_types', response_type],
    ...(response_type.includes('code')
      ? [['grant_types', 'authorization_code'] as [string, string]]
      : []),
  ]
  for (const [name, wanted] of lists) {
    const answered = client[name]
    if (!Array.isArray(answered)) continue
    const sorted = wanted.split(' ').sort().join(' ')
    if (answered.some((one) => String(one).split(' ').sort().join(' ') === sorted)) continue
    throw new CommandError(
      'invalid_op_response',
      `the OP registered the site without ${bounded(wanted)} among its ${name}`,
      {
        details: { member: name, expected: wanted, received: boundedIn(answered, 300, 2) },
        spec: 'RFC 7591 3.2.1',
      },
    )
  }
}

/** The settings of a site as far as the OP allows them: logins ask for what was registered. */
export function settingsAnswered({ client, settings }: Pick<Site, 'client' | 'settings'>) {
  const { wished_scope = settings.scope, ...rest } = settings
  const { scope: answered } = client
  const allowed = typeof answered === 'string' ? answered.split(' ') : wished_scope
  const scope = wished_scope.filter((one) => allowed.includes(one))
  // An answer that knows nothing of openid speaks of other scopes than logins' (Keycloak).
  if (!allowed.includes('openid') || scope.length === wished_scope.length) {
    return { ...rest, scope: wished_scope }
  }
  return { ...rest, scope, wished_scope }
}

/** Whether an OP must be told of a change of a site's wishes. */
export function asksOtherwise(one: RegistrationWishes, other: RegistrationWishes): boolean {
  return JSON.stringify(explicitMembers(one)) !== JSON.stringify(explicitMembers(other))
}

/** Enough to carry a registration access token, whatever the registration itself came to. */
export function bareConfiguration(
  op: OpSide,
  provider: Provider,
  client_id: string,
): client.Configuration {
  const configuration = new client.Configuration(provider.metadata, client_id, {}, client.None())
  useHttpLayer(op, provider, configuration)
  return configuration
}

function unusable(what: string, details: Record<string, unknown> | undefined): CommandError {
  return new CommandError('invalid_op_response', `the OP's registration ${what}`, {
    details,
    spec: 'RFC 7591 3.2.1',
  })
}

/** openid-client discovers before it registers; the metadata is known already. */
function withKnownMetadata(op: OpSide, provider: Provider): client.CustomFetch {
  return async (url, options) =>
    url.endsWith('/.well-known/openid-configuration')
      ? Response.json(provider.metadata)
      : op.http.fetch(url, options)
}
