/** What an OP is shown before it registers a site, where it registers not just anybody (RFC 7591 3). */
import * as client from 'openid-client'
import { bounded, CommandError } from '../errors.js'
import { live } from '../live_secrets.js'
import { OpenToOthersError, readSecretFile } from '../secret_file.js'
import type { SiteSecrets } from '../store/store.js'
import { useHttpLayer } from './client.js'
import { asCommandError, memberDetails } from './op_errors.js'
import { type OpOptions, optionsOf } from './op_options.js'
import type { OpSide } from './op_side.js'
import type { Provider } from './provider.js'

/**
 * The site's own token, else one that its registration client gets, else the operator's.
 *
 * @returns undefined where the OP shall register the site as anybody's
 * @throws CommandError with one of `registrationErrors`; Error for the operator's file
 */
export async function initialAccessToken(
  op: OpSide,
  provider: Provider,
  { initial_access_token, registration_client }: SiteSecrets,
): Promise<string | undefined> {
  if (initial_access_token !== undefined) return initial_access_token
  if (registration_client) return tokenOf(op, provider, registration_client)
  return fileOf(optionsOf(op.options, provider.op_host))
}

/** RFC 6749 4.4: a token for this one registration, which nothing else is told. */
async function tokenOf(
  op: OpSide,
  provider: Provider,
  { client_id, client_secret, scope }: NonNullable<SiteSecrets['registration_client']>,
): Promise<string> {
  const offered = provider.metadata.token_endpoint_auth_methods_supported
  const isPosted =
    Array.isArray(offered) &&
    offered.includes('client_secret_post') &&
    !offered.includes('client_secret_basic')
  const configuration = new client.Configuration(
    provider.metadata,
    client_id,
    {},
    isPosted ? client.ClientSecretPost(client_secret) : client.ClientSecretBasic(client_secret),
  )
  useHttpLayer(op, provider, configuration)
  try {
    const { access_token, token_type } = await client.clientCredentialsGrant(
      configuration,
      scope === undefined ? {} : { scope },
    )
    // RFC 6749 7.1: a token of another type cannot be used without knowing how.
    if (token_type.toLowerCase() === 'bearer') return access_token
    throw new CommandError(
      'invalid_op_response',
      `the OP's token for the registration is of the type ${bounded(token_type, 32)}, not Bearer`,
      { details: memberDetails('token_type', { token_type }) },
    )
  } catch (error) {
    const { code, message, details, spec } = await asCommandError(error, 'RFC 6749 5.1')
    throw new CommandError(code, `no token for the registration: ${message}`, {
      details: { ...details, field: 'registration_client_id' },
      spec,
      cause: error,
    })
  }
}

/** Read each time: whoever keeps it fresh need not tell the daemon. */
function fileOf(options: OpOptions | undefined): string | undefined {
  const path = options?.initial_access_token_file
  if (path === undefined) return undefined
  const where = `initial_access_token_file of [op ${options?.name}]`
  let token: string
  try {
    token = readSecretFile(path).trim()
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException
    throw new Error(
      error instanceof OpenToOthersError ? `${where}: ${message}` : `${where}: ${path} (${code})`,
    )
  }
  live.note(token)
  // RFC 6750 2.1.
  if (/^[\w.~+/-]+=*$/.test(token)) return token
  throw new Error(`${where}: ${path} must hold one token, in one line`)
}
