/** Setup clients: what their websites were told of them, and what may be changed of them. */
import { sha256 } from '../digest.js'
import type { CommandError } from '../errors.js'
import { refused } from '../refused.js'
import { changeSite } from '../registration_changes.js'
import type { Site } from '../store/store.js'
import type { OxdContext } from './oxd_command.js'
import type { RegistrationParams } from './registration.js'

/**
 * Keeps what the website is told. relyd renews a registration before its secret ends, and no command
 * would tell the website the new one.
 */
export async function rememberTold(
  context: OxdContext,
  setup_client: Site,
  { client_id, client_secret }: { client_id: string; client_secret: string },
): Promise<void> {
  const told_secret_hash = sha256(client_secret).toString('base64')
  await changeSite(context, setup_client, (one) => ({
    ...one,
    settings: { ...one.settings, told_client_id: client_id },
    secrets: { ...one.secrets, told_secret_hash },
  }))
}

/** Hashes of the secrets that its website may show with this client_id: that it was told, and that of now. */
export function secretHashesOf({ client, settings, secrets }: Site, client_id: string): Buffer[] {
  const { client_secret, told_secret_hash } = secrets
  const now = client.client_id === client_id && client_secret !== undefined
  const told = settings.told_client_id === client_id && told_secret_hash !== undefined
  return [
    ...(now ? [sha256(client_secret)] : []),
    ...(told ? [Buffer.from(told_secret_hash, 'base64')] : []),
  ]
}

/**
 * Of its types of responses and grants: what else would bring others tokens of it. Some OPs register
 * refresh_token with every code, and it refreshes only what relyd got by one: nothing.
 */
const TYPES = {
  response_types: ['code'],
  grant_types: ['authorization_code', 'client_credentials', 'refresh_token'],
} as const

/** Whether its OP registered no more, which it may (RFC 7591 3.2.1). */
export function isForItsTokensAlone({ client }: Pick<Site, 'client'>): boolean {
  return Object.entries(TYPES).every(([member, allowed]: [string, readonly string[]]) =>
    [client[member] ?? []].flat().every((one) => allowed.includes(one as string)),
  )
}

/**
 * What may be changed of a setup client. How it gets its tokens stays: whoever changed that would
 * have all sites that they protect.
 *
 * @throws CommandError `invalid_request`
 */
export function changesOfSetupClient(params: RegistrationParams): RegistrationParams {
  const { response_types, grant_types, ...changes } = params
  for (const [field, given] of Object.entries({ response_types, grant_types })) {
    const allowed: readonly string[] = TYPES[field as keyof typeof TYPES]
    if (given?.some((one) => !allowed.includes(one))) throw ofSetupClient(field)
  }
  if (params.client_jwks_uri !== undefined) throw ofSetupClient('client_jwks_uri')
  if (params.client_token_endpoint_auth_method === 'none') {
    throw ofSetupClient('client_token_endpoint_auth_method')
  }
  return changes
}

function ofSetupClient(field: string): CommandError {
  return refused(
    field,
    'of a setup client cannot be that, for others would get its tokens; leave it out',
  )
}
