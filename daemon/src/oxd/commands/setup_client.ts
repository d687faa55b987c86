import { integer, required, string, token } from '../../command.js'
import { CommandError } from '../../errors.js'
import { lookUp } from '../../lookups.js'
import { clientTokenOf } from '../../op/client_token.js'
import { DEFAULT_SCOPE } from '../../op/registration_request.js'
import { refused } from '../../refused.js'
import { removeRegistration } from '../../registration_changes.js'
import type { Site } from '../../store/store.js'
import { type OxdContext, oxdCommand } from '../oxd_command.js'
import { isMadeHere, PROTECTION_SCOPE, SELF } from '../protection.js'
import { type RegistrationParams, registerOxdSite } from '../registration.js'
import { registrationFields } from '../registration_params.js'
import { rememberTold } from '../setup_clients.js'

export const setup_client = oxdCommand({
  doc: 'Registers two clients at the OP: the site, and its setup client, whose access tokens protect the commands of the site. With the client_id of a client that was issued, that is both. No other command answers a client_secret.',
  since: '3.1.0',
  asks_op: true,
  unprotected: true,
  params: {
    ...registrationFields,
    setup_client_name: string({ doc: 'The client_name of the setup client.' }),
  },
  result: {
    oxd_id: required(string({ doc: 'The site, in every other command.' })),
    op_host: required(string({ doc: 'The OP it is registered at.' })),
    client_id: required(string({ doc: 'Of the setup client.' })),
    client_secret: required(string({ doc: 'Of the setup client.', secret: true })),
    client_registration_access_token: required(
      token({
        doc: 'Of the setup client: what opens its registration at the OP. Empty where there is none.',
        minLength: 0,
      }),
    ),
    client_registration_client_uri: required(
      string({
        doc: 'Of the setup client: where its registration is. Empty where there is none.',
        minLength: 0,
      }),
    ),
    client_id_issued_at: required(
      integer({ doc: 'Of the setup client, in seconds since the epoch.' }),
    ),
    client_secret_expires_at: required(
      integer({ doc: 'Of the setup client, in seconds since the epoch; 0, never.' }),
    ),
    setup_client_oxd_id: required(string({ doc: 'The setup client as a site of its own.' })),
    client_id_of_oxd_id: required(string({ doc: 'The client_id of the site.' })),
  },
  async run(context, _site, { setup_client_name, ...params }) {
    const setup = await registerSetupClient(context, params, setup_client_name)
    try {
      const setup_site = await stored(context, setup.oxd_id)
      const told = described(setup_site, params)
      if (isMadeHere(setup_site)) await rememberTold(context, setup_site, told)
      // Anybody may say that he was issued any client.
      else await clientTokenOf(context.op, setup_site, PROTECTION_SCOPE)
      const site = await registerOxdSite(context, params, { setup_client: setup.oxd_id })
      const { client } = await stored(context, site.oxd_id)
      return {
        ...site,
        ...told,
        setup_client_oxd_id: setup.oxd_id,
        client_id_of_oxd_id: client.client_id,
      }
    } catch (error) {
      // Nobody learns of it, and so nobody would remove it.
      await forget(context, setup.oxd_id)
      throw error
    }
  },
})

/** What the site is, but for what would let others have its tokens, and with the scopes of these as far as the OP has them. */
async function registerSetupClient(
  context: OxdContext,
  params: RegistrationParams,
  client_name = params.client_name,
): Promise<{ oxd_id: string; op_host: string }> {
  const register = (wishes: RegistrationParams) =>
    registerOxdSite(context, wishes, { needed: ['client_credentials'], setup_client: SELF })
  const named = { ...params, ...(client_name !== undefined && { client_name }) }
  // What it may ask for, its operator at the OP has said.
  if (params.client_id !== undefined) return register(named)
  const { response_types: _, grant_types: __, client_jwks_uri: ___, ...own } = named
  const { op_host, op_discovery_path, scope = DEFAULT_SCOPE } = params
  const { metadata } = await lookUp(context, op_host, op_discovery_path)
  const offered: unknown = metadata.scopes_supported
  const further = ['uma_protection', PROTECTION_SCOPE].filter(
    (one) => !Array.isArray(offered) || offered.includes(one),
  )
  try {
    return await register({ ...own, scope: [...new Set([...scope, ...further])] })
  } catch (error) {
    if (Array.isArray(offered) || !isOfMetadata(error)) throw error
    context.log.warn({ scope: further }, 'the OP does not register a setup client with these')
    return register(own)
  }
}

/** RFC 7591 3.2.2, and what OPs answer for scopes besides (RFC 6749 5.2). */
function isOfMetadata(error: unknown): boolean {
  const answered = error instanceof CommandError && error.details?.['error']
  return answered === 'invalid_client_metadata' || answered === 'invalid_scope'
}

/** In texts that oxd-python can write to its cfg, in which a `%` would be the last thing that it reads. */
function described({ client, secrets, created_at }: Site, params: RegistrationParams) {
  const { client_id, client_secret_expires_at = 0, client_id_issued_at, ...rest } = client
  const { client_secret, registration_access_token = '' } = secrets
  const uri = String(rest.registration_client_uri ?? '')
  if (client_secret === undefined) throw withoutSecret(params)
  for (const [member, value] of Object.entries({ client_id, client_secret })) {
    if (value.includes('%')) throw unusable(member, 'wrote a % into it')
  }
  return {
    client_id,
    client_secret,
    client_registration_access_token: writable(registration_access_token),
    client_registration_client_uri: writable(uri),
    client_id_issued_at: Number.isSafeInteger(client_id_issued_at)
      ? (client_id_issued_at as number)
      : created_at,
    client_secret_expires_at,
  }
}

function withoutSecret(params: RegistrationParams): CommandError {
  if (params.client_id !== undefined) return refused('client_secret', 'is missing')
  const member = 'client_token_endpoint_auth_method'
  if (params[member] === undefined) return unusable('client_secret', 'gave none')
  return refused(
    member,
    'leaves the setup client without a client_secret; use client_secret_basic, or leave it out',
  )
}

function writable(text: string): string {
  return text.includes('%') ? '' : text
}

function unusable(member: string, what: string): CommandError {
  return new CommandError(
    'invalid_op_response',
    `the setup client cannot be used, for the OP ${what}: ${member}`,
    { details: { member } },
  )
}

async function stored({ store, realm }: OxdContext, oxd_id: string): Promise<Site> {
  const site = await store.getSite(oxd_id, realm.name)
  if (site) return site
  throw new CommandError('site_changed', 'the site was removed meanwhile')
}

async function forget(context: OxdContext, oxd_id: string): Promise<void> {
  const site = await context.store.getSite(oxd_id, context.realm.name)
  if (!site) return
  await removeRegistration(context, site).catch(() => {})
  await context.sites.remove(site)
}
