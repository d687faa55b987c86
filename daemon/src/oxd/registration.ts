/** Sites of oxd clients: registered and changed by relyd's own commands, as oxd would have read the parameters. */
import type { Values } from '../command.js'
import { registerAs } from '../commands/register_site.js'
import { update_site } from '../commands/update_site.js'
import { CommandError } from '../errors.js'
import { readOpHost } from '../op/op_host.js'
import { isRedirectUri } from '../redirect_address.js'
import { refused } from '../refused.js'
import type { Site } from '../store/store.js'
import { type Asked, asFarAsOffered, isImplicit } from './as_far_as_offered.js'
import { changesOfIssued, newSecretOf, takeOver, wishesOfIssued } from './issued_client.js'
import type { OxdContext } from './oxd_command.js'
import { inNamesOf } from './registration_names.js'
import { type registrationFields, registrationRows } from './registration_params.js'

export type RegistrationParams = Values<typeof registrationFields>

export interface NewOxdSite {
  /** Grant types without which the registration is of no use to the caller. */
  needed?: readonly string[]
  /** As its settings have it. */
  setup_client?: string | undefined
}

/**
 * Registers a site as oxd's register_site did: each call makes one.
 *
 * @param params as they were read
 * @throws CommandError what register_site does, in oxd's names
 */
export async function registerOxdSite(
  context: OxdContext,
  params: RegistrationParams,
  { needed = [], setup_client }: NewOxdSite = {},
): Promise<{ oxd_id: string; op_host: string }> {
  if (params.authorization_redirect_uri === undefined) {
    return context.refuse(
      'invalid_authorization_redirect_uri',
      'authorization_redirect_uri is missing; give the address of the site that logins come back to',
      { details: { field: 'authorization_redirect_uri' } },
    )
  }
  const wished = relydsParams(context, params, { needed })
  const asked = params.client_id === undefined ? wished : wishesOfIssued(context, wished)
  const { op, settings } = context
  const namedOp = () =>
    readOpHost(op.http, String(params.op_host ?? settings.default_op), params.op_discovery_path)
  return inNamesOf(params, async () => {
    const { oxd_id, op_host } = await asFarAsOffered(
      context,
      asked,
      { needed, op_host: namedOp },
      (offered) => registerAs(context, offered as never, setup_client),
    )
    return { oxd_id, op_host }
  })
}

/**
 * Changes what is given, and nothing else.
 *
 * @throws CommandError what update_site does, in oxd's names; `invalid_registration_client_url` for what
 * only the OP could change
 */
export async function updateOxdSite(
  context: OxdContext,
  site: Site,
  params: RegistrationParams,
): Promise<void> {
  const asked = relydsParams(context, params, { site })
  const secret = newSecretOf(site, params)
  await inNamesOf(params, async () => {
    const is_issued = site.registered_by === 'operator'
    const changes = is_issued ? changesOfIssued(context, site, asked, secret) : asked
    // The SDK's clients are told that they forgot something; oxd put everything there again.
    if (Object.keys(changes).length === 0 && secret === undefined) return
    if (site.name) {
      return context.refuse(
        'invalid_request',
        'the operator of relyd added this site, who alone can change it (`relyd sites update`)',
      )
    }
    const { oxd_id, op_host } = site
    if (Object.keys(changes).length > 0) {
      await asFarAsOffered(context, changes, { op_host: () => op_host }, (offered) =>
        update_site.run(context, site, { ...offered, oxd_id } as never),
      )
    }
    if (secret !== undefined) await takeOver(context, site, secret)
  })
}

/** What relyd is asked for with these. */
function relydsParams(
  { log }: OxdContext,
  params: object,
  { site, needed = [] }: { site?: Site; needed?: readonly string[] },
): Asked {
  const given = params as Record<string, unknown>
  const asked: Asked = {}
  const metadata: Record<string, unknown> = {}
  for (const [name, { to, first, once }] of registrationRows) {
    const value = first ? (given[name] as string[] | undefined)?.[0] : given[name]
    if (to === undefined || value === undefined || (once && site)) continue
    const [, member] = to.split('.')
    const target = member === undefined ? asked : metadata
    // Of two spellings the first in the table counts.
    target[member ?? to] ??= value
    const more = first ? (given[name] as string[]).length - 1 : 0
    if (more > 0) log.warn({ parameter: name, left_out: more }, 'only the first address is used')
  }
  checkRedirectUris(asked)
  checkClaimsRedirectUris(metadata['claims_redirect_uris'] as string[] | undefined)
  if (Object.keys(metadata).length > 0) {
    asked.metadata = { ...(site?.settings.metadata?.['metadata'] as object), ...metadata }
  }
  return withNeededTypes(asked, site?.settings.metadata, needed)
}

/** relyd would make other addresses of these, of which no reply of oxd's tells. */
function checkRedirectUris(asked: Asked): void {
  for (const field of ['authorization_redirect_uri', 'redirect_uris']) {
    if (![asked[field]].flat().some((uri) => String(uri).includes('{op}'))) continue
    throw new CommandError(
      'invalid_authorization_redirect_uri',
      `${field} has {op} in it, which is for clients of relyd's own; write the address out`,
      { details: { field } },
    )
  }
}

/** UMA Grant 3.3.2. */
function checkClaimsRedirectUris(uris: readonly string[] = []): void {
  for (const uri of uris) {
    if (isRedirectUri(uri)) continue
    throw refused('claims_redirect_uri', 'must be an absolute http(s) address without fragment')
  }
}

/**
 * With the response type that logins of oxd clients have, and the grant types that the response types
 * need, which oxd's clients leave out.
 */
function withNeededTypes(
  asked: Asked,
  before: Readonly<Record<string, unknown>> = {},
  needed: readonly string[],
): Asked {
  const given = asked as { response_types?: string[]; grant_types?: string[] }
  const types = given.response_types
    ? [...new Set([...given.response_types, 'code'])]
    : given.grant_types && (before['response_types'] as string[] | undefined)
  const grants = given.grant_types ?? (types && (before['grant_types'] as string[] | undefined))
  const with_types = { ...asked, ...(types && { response_types: types }) }
  // relyd chooses by what the OP offers.
  if (grants === undefined && needed.length === 0) return with_types
  const implicit = types?.some(isImplicit) ? ['implicit'] : []
  const wanted = [...(grants ?? []), 'authorization_code', ...implicit, ...needed]
  return { ...with_types, grant_types: [...new Set(wanted)] }
}
