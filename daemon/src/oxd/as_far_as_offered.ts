/** oxd let an OP overlook what it does not have. Here it is left out, where no login of an oxd client needs it. */
import { CommandError } from '../errors.js'
import { isSameWords } from '../op/registration_request.js'
import type { OxdContext } from './oxd_command.js'

/** Parameters of relyd's commands, by their names. */
export type Asked = Record<string, unknown> & { metadata?: Record<string, unknown> }

export interface Offer {
  /** Grant types without which nothing is of use. */
  needed?: readonly string[]
  /** The OP as its documents are kept; asked only where it refused. */
  op_host(): string
}

/** Asks again without what the OP does not offer, and tells the log. */
export async function asFarAsOffered<T>(
  context: Pick<OxdContext, 'log' | 'op'>,
  asked: Asked,
  offer: Offer,
  run: (asked: Asked) => Promise<T>,
): Promise<T> {
  try {
    return await run(asked)
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
    const fewer =
      fewerTypes(error, asked, offer) ?? (await fewerScopes(context, error, asked, offer))
    if (fewer === undefined) throw error
    context.log.warn(fewer, 'the OP does not offer the others that were asked for')
    return asFarAsOffered(context, { ...asked, ...fewer }, offer, run)
  }
}

/** OIDC Registration 2: whether a response type needs the grant type `implicit`. */
export function isImplicit(response_type: string): boolean {
  return /\b(id_token|token)\b/.test(response_type)
}

/** What relyd itself saw to be missing. Response types go with the grant type that they need. */
function fewerTypes(error: CommandError, asked: Asked, { needed = [] }: Offer): object | undefined {
  const { field, offered } = error.details ?? {}
  if (field !== 'response_types' && field !== 'grant_types') return undefined
  const list = asked[field]
  if (!Array.isArray(list) || !Array.isArray(offered)) return undefined
  const left = list.filter((one) => offered.some((other) => isSameWords(one, other)))
  // Without these no login of an oxd client goes well: what the OP lacks is to be told then.
  const kept = field === 'grant_types' ? ['authorization_code', ...needed] : ['code']
  if (left.length === list.length || kept.some((one) => !left.includes(one))) return undefined
  const { response_types: types } = asked
  if (field === 'response_types' || !Array.isArray(types) || left.includes('implicit')) {
    return { [field]: left }
  }
  return { grant_types: left, response_types: types.filter((type) => !isImplicit(type)) }
}

/**
 * Scopes that the OP does not advertise, if it refuses the registration. RFC 8414 2: it need not
 * advertise all that it has, so that they are asked for first.
 */
async function fewerScopes(
  { op }: Pick<OxdContext, 'op'>,
  error: CommandError,
  { scope }: Asked,
  { op_host }: Offer,
): Promise<object | undefined> {
  // RFC 7591 3.2.2.
  if (error.code !== 'op_error' || error.details?.['error'] !== 'invalid_client_metadata') {
    return undefined
  }
  const { scopes_supported } = (await op.providers.get(op_host())).metadata
  if (!Array.isArray(scope) || !Array.isArray(scopes_supported)) return undefined
  const left = scope.filter((one) => scopes_supported.includes(one))
  return left.length > 0 && left.length < scope.length ? { scope: left } : undefined
}
