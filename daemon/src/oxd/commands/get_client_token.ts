import { integer, required, string, strings, token } from '../../command.js'
import { sameDigest, sha256 } from '../../digest.js'
import { CommandError } from '../../errors.js'
import { lookUp, takeLookup } from '../../lookups.js'
import { isSecretMethod } from '../../op/client_authentication.js'
import { type ClientToken, clientTokenOf, passingClientToken } from '../../op/client_token.js'
import type { Provider } from '../../op/provider.js'
import { isBearerToken } from '../../op/token_text.js'
import { refused } from '../../refused.js'
import type { Site } from '../../store/store.js'
import { type OxdContext, orNull, oxdCommand } from '../oxd_command.js'
import { isMadeHere, PROTECTION_SCOPE, registeredScope, rememberToken } from '../protection.js'
import { secretHashesOf } from '../setup_clients.js'

/** Seconds, where the OP says none: clients get a new one then, so that a short time costs little. */
const UNSAID_LIFETIME = 300

export const get_client_token = oxdCommand({
  doc: "An access token of a client's own, to show as protection_access_token.",
  since: '3.1.0',
  asks_op: true,
  unprotected: true,
  params: {
    client_id: required(string({ doc: 'The client: most often the one that setup_client made.' })),
    client_secret: required(string({ doc: 'Its secret.', secret: true })),
    op_host: string({ doc: "Its OP. Without it, the daemon's default OP." }),
    op_discovery_path: string({
      doc: 'Path between op_host and `/.well-known/openid-configuration`.',
    }),
    scope: strings({
      doc: 'What the token shall be good for. A client that setup_client made gets `openid` and `oxd` besides, as far as it was registered with them; one that was issued, `oxd`.',
      spec: 'RFC 6749 3.3',
    }),
    authentication_method: string({
      doc: 'How a client authenticates that relyd did not register: client_secret_basic or client_secret_post. Of its own ones, relyd knows.',
    }),
    algorithm: string({ doc: "Of private_key_jwt. Taken, and not used: the keys are relyd's." }),
    key_id: string({ doc: "Of private_key_jwt. Taken, and not used: the keys are relyd's." }),
  },
  result: {
    access_token: required(token({ doc: 'The access token.', spec: 'RFC 6749 1.4' })),
    expires_in: required(
      integer({
        doc: 'Seconds until it expires; 300 where the OP does not say.',
        minimum: 1,
        spec: 'RFC 6749 5.1',
      }),
    ),
    refresh_token: orNull(token({ doc: 'There is none.', spec: 'RFC 6749 4.4.3' })),
    scope: required(string({ doc: 'What was granted.', minLength: 0, spec: 'RFC 6749 3.3' })),
  },
  async run(context, _site, { op_host, op_discovery_path, scope = [], ...given }) {
    const { op, realm, renewals, store } = context
    const provider = await lookUp(context, op_host, op_discovery_path)
    const named = await store.setupClientsOf(realm.name, provider.issuer, given.client_id)
    // A random secret of the OP's, which nobody guesses: what would bound guesses would keep its owner out.
    const shown = named.find((one) => isMadeHere(one) && isSecretOf(one, given))
    const known = shown ?? named.map((one) => asIssued(one, given)).find((one) => one !== undefined)
    const asked = scopeFor(known, scope)
    const answer = known
      ? await clientTokenOf(op, await renewals.ifExpired(realm, known), asked)
      : await ofOther(context, provider, given, asked)
    checkText(answer)
    const owner = named.find((one) => isSecretOf(one, given))
    if (owner) rememberToken(context, answer.access_token, owner)
    return {
      access_token: answer.access_token,
      // Clients wait so long and ask again: for nothing, at none.
      expires_in: answer.expires_in || UNSAID_LIFETIME,
      refresh_token: null,
      // RFC 6749 5.1: what is not said is as it was asked for.
      scope: answer.scope ?? asked ?? '',
    }
  },
})

interface GivenClient {
  client_id: string
  client_secret: string
  authentication_method?: string
}

/**
 * Whether relyd let it in by this secret. Its registration here may authenticate otherwise by now, with
 * keys that nobody else has.
 */
function isSecretOf(setup_client: Site, { client_id, client_secret }: GivenClient): boolean {
  const given = sha256(client_secret)
  return secretHashesOf(setup_client, client_id).some((hash) => sameDigest(hash, given))
}

/**
 * One that was issued, with nothing but what was given: its secret may be anybody's choice, so that
 * the OP judges, who sees guesses.
 */
function asIssued(setup_client: Site, { client_secret }: GivenClient): Site | undefined {
  const { client_id, token_endpoint_auth_method: method = '' } = setup_client.client
  const { token_endpoint_auth_signing_alg: alg } = setup_client.client
  if (isMadeHere(setup_client) || !isSecretMethod(method)) return undefined
  const client = {
    client_id,
    token_endpoint_auth_method: method,
    ...(alg && { token_endpoint_auth_signing_alg: alg }),
  }
  return { ...setup_client, client, secrets: { client_secret } }
}

/** Whoever it is, the OP decides. */
async function ofOther(
  { op, realm }: OxdContext,
  provider: Provider,
  { client_id, client_secret, authentication_method: method }: GivenClient,
  scope: string | undefined,
): Promise<ClientToken> {
  takeLookup(realm)
  if (method !== undefined && method !== 'client_secret_basic' && method !== 'client_secret_post') {
    throw refused(
      'authentication_method',
      'must be client_secret_basic or client_secret_post for a client that relyd did not register, for it has no key of it; leave it out',
    )
  }
  return passingClientToken(op, provider, { client_id, client_secret, scope, method })
}

/** oxd asked for `openid` always; not every OP grants it to who logs nobody in. */
function scopeFor(setup_client: Site | undefined, scope: readonly string[]): string | undefined {
  if (!setup_client) return scope.join(' ') || undefined
  if (!isMadeHere(setup_client)) return [...new Set([...scope, PROTECTION_SCOPE])].join(' ')
  const registered = registeredScope(setup_client)
  const wanted = new Set(['openid', ...scope, PROTECTION_SCOPE])
  return registered.filter((one) => wanted.has(one)).join(' ') || undefined
}

/** oxd-python writes it to its cfg, which a `%` would break. */
function checkText({ access_token }: ClientToken): void {
  if (isBearerToken(access_token)) return
  throw new CommandError(
    'invalid_op_response',
    'the OP issued an access token with characters that no Bearer token may have',
    { details: { member: 'access_token' }, spec: 'RFC 6750 2.1' },
  )
}
