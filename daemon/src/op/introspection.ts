/** Asks an OP what an access token is worth, and believes the answer only as far as it makes sense. */
import * as client from 'openid-client'
import type { Seconds } from '../clock.js'
import { LIST_LENGTH, STRING_LENGTH } from '../command.js'
import { CommandError } from '../errors.js'
import type { Site } from '../store/store.js'
import { clientOf } from './client.js'
import { asCommandError, clientErrors, memberDetails } from './op_errors.js'
import { issuerOfTenant, type OpOptions, optionsOf } from './op_options.js'
import type { OpSide } from './op_side.js'

/** Codes that an introspection can end with. */
export const introspectionErrors = [
  'no_introspection_endpoint_at_op',
  ...clientErrors,
  'invalid_op_response',
] as const

const TEXTS = ['scope', 'client_id', 'username', 'token_type', 'sub', 'iss', 'jti'] as const
const TIMES = ['exp', 'iat', 'nbf'] as const

/** What RFC 7662 2.2 names, each of its type. */
export type Introspection = { active: boolean; aud?: string[] } & {
  [N in (typeof TEXTS)[number]]?: string
} & { [N in (typeof TIMES)[number]]?: Seconds }

/**
 * RFC 7662 2. Inactive comes alone, and is also the answer for a token that the OP calls active but
 * that has expired, is not good yet, was issued by another, is of another type than Bearer (a
 * refresh token, an ID Token), or is bound to a key (RFC 7800), as nobody here can see to its proof.
 *
 * @throws CommandError with one of {@link introspectionErrors}
 */
export async function introspect(
  op: OpSide,
  site: Site,
  access_token: string,
): Promise<Introspection> {
  const { provider, configuration } = await clientOf(op, site)
  if (provider.metadata.introspection_endpoint === undefined) {
    throw new CommandError(
      'no_introspection_endpoint_at_op',
      "the OP's metadata names no introspection_endpoint; nobody else can tell",
    )
  }
  let answer: client.IntrospectionResponse
  try {
    answer = await client.tokenIntrospection(configuration, access_token, {
      token_type_hint: 'access_token',
    })
  } catch (error) {
    // RFC 7009 2.2.1, which some OPs answer here too: a JWT, perhaps, that is none of its access tokens.
    const isNoToken =
      error instanceof client.ResponseBodyError && error.error === 'unsupported_token_type'
    if (isNoToken) return { active: false }
    throw await asCommandError(error, 'RFC 7662 2.2')
  }
  if (!answer.active) return { active: false }
  const checked = checkMembers(answer)
  const isOurs =
    isGood(checked, op.clock()) && isOfIssuer(checked, site, optionsOf(op.options, site.op_host))
  return isOurs && !('cnf' in answer) ? checked : { active: false }
}

// To the second, without tolerance: what one of the clocks holds for over is over.
function isGood({ exp, nbf, token_type }: Introspection, now: Seconds): boolean {
  // RFC 6749 5.1; some OPs say with it that it is no refresh token.
  if (token_type !== undefined && !/^(?:bearer|access_token)$/i.test(token_type)) return false
  if (exp !== undefined && exp <= now) return false
  return nbf === undefined || nbf <= now
}

/** Where relyd.cfg says that the OP has many tenants, one of those that it lists. */
function isOfIssuer({ iss }: Introspection, { issuer }: Site, options?: OpOptions): boolean {
  if (iss === undefined) return true
  if (!options?.tenants) return iss === issuer
  return options.tenants.some((tenant) => iss === issuerOfTenant(options, tenant))
}

/** What is of another type than its specification says cannot be told from a lie. */
function checkMembers(answer: client.IntrospectionResponse): Introspection {
  const checked: Introspection = { active: true }
  for (const name of TEXTS) {
    const value: unknown = answer[name]
    if (value === undefined || value === '') continue
    if (!isText(value)) throw malformed(name, answer)
    checked[name] = value
  }
  for (const name of TIMES) {
    const value: unknown = answer[name]
    if (value === undefined) continue
    // RFC 7519 2: a NumericDate may have a fraction, which is nearer to its end.
    const seconds = typeof value === 'number' ? Math.floor(value) : Number.NaN
    if (!Number.isSafeInteger(seconds) || seconds < 0) throw malformed(name, answer)
    checked[name] = seconds
  }
  if (answer.aud !== undefined) {
    const aud: unknown[] = [answer.aud].flat()
    if (aud.length > LIST_LENGTH || !aud.every(isText)) throw malformed('aud', answer)
    checked.aud = aud
  }
  return checked
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= STRING_LENGTH
}

function malformed(name: string, answer: object): CommandError {
  return new CommandError(
    'invalid_op_response',
    `the OP's introspection has a member ${name} that is not what the specification says`,
    { details: memberDetails(name, answer), spec: 'RFC 7662 2.2' },
  )
}
