/** Parameters by which the operator's commands name a site and say what it shall be. */
import { type Fields, oneOf, required, string, strings, type Values } from '../command.js'
import { authMethods, type SecretMethod } from '../op/client_authentication.js'
import type { ClientCredential } from '../op/client_credential.js'
import { metadataFields } from '../op/client_metadata.js'
import { credentialMethods } from '../op/credential_methods.js'
import { refused } from '../refused.js'
import { settingFields } from '../site_settings.js'

/** Longest key or chain of certificates, as text. */
const PEM_LENGTH = 65_536

const realm = string({
  doc: 'The realm of the site. Default: the one that has such a site, if one alone has.',
  maxLength: 32,
})

/** Which site is meant. */
export const siteParams = {
  site: required(
    string({
      doc: "The site's name; or its oxd_id, or so much of it that no other begins so.",
      maxLength: 64,
    }),
  ),
  realm,
}

/** Which sites or sessions are listed. */
export const realmParam = { ...realm, doc: 'Only those of this realm.' }

/** How the client authenticates to the OP. */
export const credentialParams = {
  auth_method: oneOf(
    {
      doc: "How the daemon authenticates to the OP. Default: by what is given, and the OP's metadata.",
      spec: 'OIDC Core 9',
    },
    credentialMethods,
  ),
  client_secret: string({ doc: 'The secret of that client.', secret: true }),
  private_key: string({
    doc: 'The private key of that client: PEM or JWK, without a passphrase.',
    secret: 'key',
    maxLength: PEM_LENGTH,
  }),
  key_id: string({
    doc: "The kid by which the OP knows the key. Default: the JWK's, or its thumbprint.",
    spec: 'RFC 7638 3',
  }),
  signing_alg: string({
    doc: 'What the key signs with. Default: what fits it, such as RS256 or ES256; for client_secret_jwt, HS256.',
    spec: 'RFC 7518 3.1',
  }),
  certificate: string({
    doc: 'The certificate of that key in PEM, with those that lead to its CA behind it.',
    spec: 'RFC 8705 2',
    maxLength: PEM_LENGTH,
  }),
  client_assertion_file: string({
    doc: "Absolute path of a file with a client assertion that the platform renews (Kubernetes, SPIFFE, a cloud's workload identity): the daemon reads it at each request to the OP.",
    spec: 'RFC 7523 2.2',
  }),
  team_id: string({ doc: "Apple's, for auth_method apple." }),
}

export type Credentials = Partial<Values<typeof credentialParams>>

/** How it authenticates, the credential says. */
const {
  token_endpoint_auth_method: _method,
  token_endpoint_auth_signing_alg: _alg,
  ...metadata
} = metadataFields

/** What else may be said of a site, when it is added and when it is changed. */
export const settingParams = {
  redirect_uris: strings({
    doc: "Where the OP sends the browser back to after a login; the site's own first.",
    spec: 'RFC 6749 3.1.2',
  }),
  ...settingFields,
  ...metadata,
}

/**
 * How a client that relyd registers shall authenticate, by the names of its metadata. The OP and relyd
 * make what it needs for that.
 *
 * @throws CommandError `invalid_request` for a method that needs what only an issued client has
 */
export function wishedMethod({ auth_method, signing_alg, ...rest }: Credentials): WishedMethod {
  const [stray] = Object.keys(rest)
  if (stray !== undefined) {
    throw refused(
      stray,
      'is of no use: relyd registered this client itself, and its OP issues the credentials; remove the site and add it anew',
    )
  }
  const token_endpoint_auth_method = authMethods.find((one) => one === auth_method)
  if (auth_method !== undefined && token_endpoint_auth_method === undefined) {
    throw refused(
      'auth_method',
      `cannot be ${auth_method} for a client that relyd registers; it can be ${authMethods.join(', ')}, and any other with a client_id`,
    )
  }
  return {
    ...(token_endpoint_auth_method && { token_endpoint_auth_method }),
    ...(signing_alg !== undefined && { token_endpoint_auth_signing_alg: signing_alg }),
  }
}

interface WishedMethod {
  token_endpoint_auth_method?: (typeof authMethods)[number]
  token_endpoint_auth_signing_alg?: string
}

/** The operator's name of a site: what a shell, a file and a log take as it is. */
export function checkName(name: string): void {
  if (/^[a-z0-9][a-z0-9._-]{0,62}$/.test(name)) return
  throw refused(
    'name',
    'may have 1 to 63 lower-case letters, digits, ., - and _, and begins with a letter or digit',
  )
}

/**
 * What was given to authenticate a client with.
 *
 * @param preferred the method for a secret that names none
 * @returns undefined if nothing was given
 * @throws CommandError `invalid_request`
 */
export function credentialOf(
  given: Credentials,
  preferred: () => SecretMethod,
): ClientCredential | undefined {
  const method = given.auth_method ?? methodOf(given, preferred)
  if (method === undefined) return undefined
  const stray = Object.keys(given).find((name) => !usedBy[method].has(name))
  if (stray !== undefined) {
    throw refused(stray, `is of no use with ${method}; leave it out, or name another auth_method`)
  }
  const need = <N extends keyof Credentials>(name: N): NonNullable<Credentials[N]> => {
    const value = given[name]
    if (value === undefined) throw refused(name, `is missing; ${method} needs it`)
    return value
  }
  switch (method) {
    case 'none':
      return { method }
    case 'client_secret_basic':
    case 'client_secret_post':
      return { method, client_secret: need('client_secret') }
    case 'client_secret_jwt':
      return { method, client_secret: need('client_secret'), alg: given.signing_alg }
    case 'private_key_jwt': {
      const { key_id: kid, signing_alg: alg, certificate } = given
      return { method, private_key: need('private_key'), kid, alg, certificate }
    }
    case 'tls_client_auth':
    case 'self_signed_tls_client_auth':
      return { method, certificate: need('certificate'), private_key: need('private_key') }
    case 'assertion_file':
      return { method, client_assertion_file: need('client_assertion_file') }
    case 'apple':
      return {
        method,
        team_id: need('team_id'),
        kid: need('key_id'),
        private_key: need('private_key'),
      }
  }
}

/**
 * {@link credentialOf} a client that needs one. That it has none must be said: a public client is one
 * that anybody can speak for.
 */
export function requiredCredentialOf(...args: Parameters<typeof credentialOf>): ClientCredential {
  const credential = credentialOf(...args)
  if (credential) return credential
  throw refused(
    'auth_method',
    'is missing, and so is any credential: give client_secret, private_key, certificate, client_assertion_file or team_id; or auth_method none, for a public client',
  )
}

type Method = ClientCredential['method']

const secret = new Set(['auth_method', 'client_secret'])
const certified = new Set(['auth_method', 'certificate', 'private_key'])

const usedBy: Record<Method, ReadonlySet<string>> = {
  none: new Set(['auth_method']),
  client_secret_basic: secret,
  client_secret_post: secret,
  client_secret_jwt: new Set([...secret, 'signing_alg']),
  private_key_jwt: new Set([...certified, 'key_id', 'signing_alg']),
  tls_client_auth: certified,
  self_signed_tls_client_auth: certified,
  assertion_file: new Set(['auth_method', 'client_assertion_file']),
  apple: new Set(['auth_method', 'team_id', 'key_id', 'private_key']),
}

function methodOf(given: Credentials, preferred: () => SecretMethod): Method | undefined {
  if (given.team_id !== undefined) return 'apple'
  if (given.client_assertion_file !== undefined) return 'assertion_file'
  if (given.private_key !== undefined) return 'private_key_jwt'
  if (given.client_secret !== undefined) return preferred()
  const [stray] = Object.keys(given)
  if (stray === undefined) return undefined
  throw refused(stray, 'belongs to a private_key; give that too')
}

/** The members of `params` that a set of fields declares. */
export function pick<F extends Fields>(fields: F, params: object): Partial<Values<F>> {
  const given = Object.entries(params).filter(
    ([name, value]) => Object.hasOwn(fields, name) && value !== undefined,
  )
  return Object.fromEntries(given) as Partial<Values<F>>
}
