/** What an OP is shown before it registers a site, where it registers not just anybody (RFC 7591 3). */
import { CommandError } from '../errors.js'
import { live } from '../live_secrets.js'
import { OpenToOthersError, readSecretFile } from '../secret_file.js'
import type { SiteSecrets } from '../store/store.js'
import { passingClientToken } from './client_token.js'
import { asCommandError } from './op_errors.js'
import { type OpOptions, optionsOf } from './op_options.js'
import type { OpSide } from './op_side.js'
import type { Provider } from './provider.js'
import { isBearerToken } from './token_text.js'

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
  try {
    const answer = await passingClientToken(op, provider, { client_id, client_secret, scope })
    return answer.access_token
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
  if (isBearerToken(token)) return token
  throw new Error(`${where}: ${path} must hold one token, in one line`)
}
