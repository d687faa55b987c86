/** A registration that relyd made, read, changed and removed at its OP (RFC 7592). */
import * as client from 'openid-client'
import { CommandError } from '../errors.js'
import { isObject } from '../is_object.js'
import type { OwnKey, Site } from '../store/store.js'
import { providerOf, registrationUri } from './client.js'
import { isSecretMethod } from './client_authentication.js'
import { asCommandError, memberDetails, opError } from './op_errors.js'
import type { OpSide } from './op_side.js'
import { type Members, withOwnKeys } from './own_key_wishes.js'
import { bareConfiguration } from './registration.js'
import { explicitMembers, requestOf, wishesOf } from './registration_request.js'

/** Codes that reading or changing a registration can end with. */
export const registrationAccessErrors = [
  'invalid_registration_client_url',
  'registration_access_denied',
] as const

/** What an OP answers about a client (RFC 7591 3.2.1). */
export type Answer = client.ClientMetadata

/** Whether the OP gave the means to read and change what it registered. */
export function isAccessible(op: OpSide, site: Site): boolean {
  return (
    site.registered_by === 'relyd' &&
    site.secrets.registration_access_token !== undefined &&
    registrationUri(op.http, site) !== undefined
  )
}

/**
 * RFC 7592 2.1: asks the OP what it has registered.
 *
 * @returns the answer as it came; with another registration access token perhaps, which is the only
 * one then
 * @throws CommandError with one of {@link registrationAccessErrors}, or of `registrationErrors`
 */
export function readClient(op: OpSide, site: Site): Promise<Answer> {
  return askForClient(op, site, 'GET')
}

/**
 * RFC 7592 2.2: what replaces the registration.
 *
 * @param site as it is
 * @param wanted as it shall be: the same site with other wishes
 * @returns the request, and all keys that the site has then, some of which may be new
 * @throws CommandError `invalid_request` for what the OP does not offer
 */
export async function updateRequest(
  op: OpSide,
  site: Site,
  wanted: Site,
): Promise<{ request: Members; own_keys: OwnKey[] }> {
  const { metadata } = await providerOf(op, site)
  const { own_keys } = site.secrets
  return withOwnKeys(updateOf(metadata, site, wanted), metadata, op.clock(), own_keys)
}

/**
 * RFC 7592 2.2: replaces what the OP has registered.
 *
 * @param request of {@link updateRequest}
 * @returns the answer, as {@link readClient}'s
 * @throws CommandError with one of {@link registrationAccessErrors}, or of `registrationErrors`
 */
export async function updateClient(op: OpSide, site: Site, request: object): Promise<Answer> {
  return askForClient(op, site, 'PUT', request)
}

/** What an OP alone says of a client, and must not be told (RFC 7592 2.2). */
const TOLD_ONLY = [
  'registration_access_token',
  'registration_client_uri',
  'client_secret_expires_at',
  'client_id_issued_at',
]

/** RFC 7592 2.2: all that was registered, and what shall be otherwise. What is left out is taken away. */
function updateOf(metadata: client.ServerMetadata, site: Site, wanted: Site): Members {
  const before = explicitMembers(wishesOf(site))
  const wishes = wishesOf(wanted)
  const after = explicitMembers(wishes)
  const request = requestOf(metadata, wishes)
  const isOther = (name: string) => JSON.stringify(before[name]) !== JSON.stringify(after[name])
  const members = Object.entries(site.client).filter(
    ([name]) => !TOLD_ONLY.includes(name) && (!(name in before) || name in after),
  )
  return {
    ...Object.fromEntries(members),
    ...(isOther('token_endpoint_auth_method') && { token_endpoint_auth_signing_alg: undefined }),
    ...(isOther('response_types') && { grant_types: request['grant_types'] }),
    // RFC 7591 2: by value or by address.
    ...(after['jwks_uri'] !== undefined && { jwks: undefined }),
    ...after,
    client_id: site.client.client_id,
    // RFC 7592 2.2: it may be there, and must be the one that the OP knows. One that nothing is
    // authenticated by any more the OP may have dropped.
    ...(isSecretMethod(site.client.token_endpoint_auth_method ?? 'client_secret_basic') && {
      client_secret: site.secrets.client_secret,
    }),
  }
}

async function askForClient(
  op: OpSide,
  site: Site,
  method: 'GET' | 'PUT',
  body?: object,
): Promise<Answer> {
  const response = await ask(op, site, method, body).catch(async (error: unknown) => {
    // RFC 7592 2.1: the client is gone, or the token was revoked; with a challenge (RFC 6750 3).
    if (isChallenge401(error)) throw denied()
    throw await asCommandError(error, 'RFC 7592 3')
  })
  if (response.status === 401) throw denied()
  const answer: unknown = await response.json().catch(() => undefined)
  if (response.status !== 200) throw errorOf(response.status, answer)
  if (!isObject(answer)) throw unusable('is no JSON object', { http_status: 200 })
  // RFC 7592 3: the answer is about this client, and about no other.
  const expected = site.client.client_id
  if (answer['client_id'] === expected) return answer as Answer
  if (isError(answer)) throw errorOf(200, answer)
  throw unusable('has another client_id', { ...memberDetails('client_id', answer), expected })
}

/**
 * RFC 7592 2.3: removes a registration that relyd made. A registration that the OP no longer knows
 * counts as removed; one that the OP gave no means to remove is left there.
 *
 * @returns whether the OP was asked and removed it
 * @throws CommandError `remove_site_failed`, `op_host_not_allowed`
 */
export async function unregisterClient(op: OpSide, site: Site): Promise<boolean> {
  if (!isAccessible(op, site)) return false
  try {
    const response = await ask(op, site, 'DELETE')
    // RFC 7592 2.3: 401 is the answer for a client that no longer exists.
    if ([200, 204, 401, 404].includes(response.status)) return true
    throw new CommandError('remove_site_failed', `the OP answered ${response.status}`, {
      details: { http_status: response.status },
    })
  } catch (error) {
    // The same 401, with a challenge (RFC 6750 3).
    if (isChallenge401(error)) return true
    const { code, message, details } = await asCommandError(error, 'RFC 7592 3')
    throw new CommandError(
      code === 'op_host_not_allowed' ? code : 'remove_site_failed',
      `the registration could not be removed at the OP, so the site was kept: ${message}`,
      { details, cause: error },
    )
  }
}

async function ask(op: OpSide, site: Site, method: string, body?: object): Promise<Response> {
  const uri = registrationUri(op.http, site)
  const { registration_access_token } = site.secrets
  if (site.registered_by === 'operator') {
    throw new CommandError(
      'invalid_registration_client_url',
      "the OP's operator issued this client, and alone can show and change it",
    )
  }
  if (uri === undefined || registration_access_token === undefined) {
    throw new CommandError(
      'invalid_registration_client_url',
      'the OP gave no usable registration_client_uri and registration access token with the registration; remove the site and register it anew',
    )
  }
  const provider = await providerOf(op, site)
  const configuration = bareConfiguration(op, provider, site.client.client_id)
  return client.fetchProtectedResource(
    configuration,
    registration_access_token,
    new URL(uri),
    method,
    body === undefined ? undefined : JSON.stringify(body),
    new Headers({
      accept: 'application/json',
      ...(body && { 'content-type': 'application/json' }),
    }),
  )
}

function isChallenge401(error: unknown): boolean {
  return error instanceof client.WWWAuthenticateChallengeError && error.status === 401
}

function denied(): CommandError {
  return new CommandError(
    'registration_access_denied',
    "the OP does not accept the registration access token: the client was removed there, or the token was revoked; have the OP's operator look, or remove the site and register it anew",
    { details: { http_status: 401 } },
  )
}

/** RFC 7592 2.2: with the errors of RFC 7591 3.2.2. */
function errorOf(http_status: number, answer: unknown): CommandError {
  if (isError(answer)) {
    return opError(undefined, answer['error'], answer['error_description'], http_status)
  }
  return new CommandError('invalid_op_response', `the OP answered ${http_status} to it`, {
    details: { http_status },
    spec: 'RFC 7592 3',
  })
}

function isError(answer: unknown): answer is Record<string, unknown> {
  return isObject(answer) && typeof answer['error'] === 'string' && answer['error'] !== ''
}

function unusable(what: string, details: Record<string, unknown>): CommandError {
  return new CommandError('invalid_op_response', `the OP's answer about the registration ${what}`, {
    details,
    spec: 'RFC 7592 3',
  })
}
