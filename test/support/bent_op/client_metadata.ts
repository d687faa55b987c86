/** What a bent OP demands of a client's metadata (OIDC Registration 2, RFC 7591 2). */
import type { Inside } from './inside.js'
import { isSymmetric } from './jwe.js'
import { refusal } from './refusal.js'
import type { BentClient, Members } from './types.js'

const PRIVATE = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']
const KEY_MEMBERS: Record<string, string[]> = {
  RSA: ['n', 'e'],
  EC: ['crv', 'x', 'y'],
  OKP: ['crv', 'x'],
}

/** Members of metadata, and those of the OP's that list what they may be. */
const OFFERED: Record<string, string> = {
  id_token_signed_response_alg: 'id_token_signing_alg_values_supported',
  id_token_encrypted_response_alg: 'id_token_encryption_alg_values_supported',
  id_token_encrypted_response_enc: 'id_token_encryption_enc_values_supported',
  userinfo_signed_response_alg: 'userinfo_signing_alg_values_supported',
  userinfo_encrypted_response_alg: 'userinfo_encryption_alg_values_supported',
  userinfo_encrypted_response_enc: 'userinfo_encryption_enc_values_supported',
  token_endpoint_auth_method: 'token_endpoint_auth_methods_supported',
  token_endpoint_auth_signing_alg: 'token_endpoint_auth_signing_alg_values_supported',
}

/** Members that are lists of texts. */
const LISTS = [
  ...['redirect_uris', 'response_types', 'grant_types', 'contacts', 'default_acr_values'],
  ...['request_uris', 'post_logout_redirect_uris'],
]

/** Members that are addresses of pages or documents. */
const ADDRESSES = [
  ...['logo_uri', 'client_uri', 'policy_uri', 'tos_uri', 'jwks_uri', 'sector_identifier_uri'],
  'initiate_login_uri',
]

/** What an OP assumes that is told nothing. */
export const defaults = {
  response_types: ['code'],
  grant_types: ['authorization_code'],
  application_type: 'web',
  token_endpoint_auth_method: 'client_secret_basic',
}

/** As it is then known; its client_id comes later. */
type Wishes = Omit<BentClient, 'client_id'> & { application_type?: string }

/** @throws Refusal with the error of RFC 7591 3.2.2 */
export function checkMetadata(inside: Inside, wishes: Members): Wishes {
  const asked = { ...defaults, ...wishes } as unknown as Wishes
  const demand = (is_good: unknown, what: string) => {
    if (!is_good) throw refusal('invalid_client_metadata', what)
  }
  // RFC 7591 2: null is as if it were left out, and nobody needs to send it.
  for (const [name, value] of Object.entries(wishes)) demand(value !== null, `${name} is null`)
  for (const name of LISTS) {
    const value = (asked as Members)[name]
    demand(value === undefined || isTexts(value), `${name} is no list of texts`)
  }
  for (const name of ADDRESSES) {
    const value = (asked as Members)[name]
    demand(value === undefined || isAddress(value), `${name} is no address`)
  }
  checkRedirectUris(asked)
  checkTypes(inside, asked, demand)
  for (const [name, list] of Object.entries(OFFERED)) {
    const offered = inside.face.metadata[list]
    const value = wishes[name]
    if (value === undefined || !Array.isArray(offered)) continue
    demand(offered.includes(value), `${name} ${value} is not offered`)
  }
  for (const [alg, enc] of [
    ['id_token_encrypted_response_alg', 'id_token_encrypted_response_enc'],
    ['userinfo_encrypted_response_alg', 'userinfo_encrypted_response_enc'],
    ['request_object_encryption_alg', 'request_object_encryption_enc'],
  ] as const) {
    demand(!(enc in asked) || alg in asked, `${enc} without ${alg}`)
  }
  demand(asked.jwks === undefined || asked.jwks_uri === undefined, 'both jwks and jwks_uri')
  if (asked.jwks !== undefined) checkJwks(asked.jwks, demand)
  demand(!needsKeys(asked) || asked.jwks || asked.jwks_uri, 'no keys, which it needs')
  const statement = wishes['software_statement']
  demand(statement === undefined || isJwt(statement), 'software_statement')
  return asked
}

function checkRedirectUris(asked: Wishes): void {
  const { redirect_uris, response_types = [], grant_types = [], application_type } = asked
  // RFC 7591 2: only who uses redirects has any.
  if (redirect_uris === undefined && response_types.length === 0) return
  if (!isTexts(redirect_uris) || redirect_uris.length === 0) throw refusal('invalid_redirect_uri')
  for (const uri of redirect_uris) {
    if (!URL.canParse(uri) || new URL(uri).hash || uri.includes('#')) {
      throw refusal('invalid_redirect_uri', `${uri} is none`)
    }
    const { protocol } = new URL(uri)
    const is_implicit = grant_types.includes('implicit') && application_type === 'web'
    if (is_implicit && protocol !== 'https:') {
      throw refusal('invalid_redirect_uri', `${uri} is not https`)
    }
  }
}

/** OIDC Registration 2: which grant types which response types need, and no more. */
function checkTypes(
  { face }: Inside,
  { response_types = [], grant_types = [] }: Wishes,
  demand: (is_good: unknown, what: string) => void,
): void {
  const offered = face.metadata['response_types_supported'] as string[]
  for (const type of response_types) demand(offered.includes(type), `${type} is not offered`)
  const parts = response_types.flatMap((type) => type.split(' '))
  const is_implicit = parts.includes('id_token') || parts.includes('token')
  const mustHave = (grant: string, wanted: boolean) =>
    demand(grant_types.includes(grant) === wanted, `grant_types do not fit: ${grant}`)
  mustHave('authorization_code', parts.includes('code'))
  mustHave('implicit', is_implicit)
}

function checkJwks(jwks: unknown, demand: (is_good: unknown, what: string) => void): void {
  const keys = (jwks as { keys?: unknown }).keys
  if (!Array.isArray(keys)) throw refusal('invalid_client_metadata', 'jwks is no JWK Set')
  const kids = keys.map((jwk: Members) => jwk['kid'])
  demand(new Set(kids).size === kids.length, 'two keys have one kid')
  for (const jwk of keys as Members[]) {
    const members = KEY_MEMBERS[String(jwk['kty'])]
    demand(
      members?.every((name) => isBase64url(jwk[name])),
      'a key is ill-formed',
    )
    demand(!PRIVATE.some((name) => name in jwk), 'a private key')
    demand([undefined, 'sig', 'enc'].includes(jwk['use'] as string), 'use of a key')
    demand(keys.length === 1 || typeof jwk['kid'] === 'string', 'a key of several has no kid')
  }
}

function needsKeys(asked: Wishes): boolean {
  return (
    asked.token_endpoint_auth_method === 'private_key_jwt' ||
    [asked.id_token_encrypted_response_alg, asked.userinfo_encrypted_response_alg].some(
      (alg) => alg !== undefined && !isSymmetric(alg),
    )
  )
}

/** Whether anything that the client registered is done with its secret. */
export function needsSecret(asked: Wishes): boolean {
  return (
    asked.token_endpoint_auth_method.startsWith('client_secret') ||
    [asked.id_token_signed_response_alg, asked.userinfo_signed_response_alg].some((alg) =>
      alg?.startsWith('HS'),
    ) ||
    [asked.id_token_encrypted_response_alg, asked.userinfo_encrypted_response_alg].some(
      (alg) => alg !== undefined && isSymmetric(alg),
    )
  )
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string')
}

function isAddress(value: unknown): boolean {
  return typeof value === 'string' && URL.canParse(value) && /^https?:/.test(value)
}

function isBase64url(value: unknown): boolean {
  return typeof value === 'string' && /^[\w-]+$/.test(value)
}

function isJwt(value: unknown): boolean {
  return typeof value === 'string' && /^[\w-]+\.[\w-]+\.[\w-]*$/.test(value)
}
