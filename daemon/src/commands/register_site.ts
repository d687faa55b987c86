import { command, required, string, strings, type Values } from '../command.js'
import type { Context } from '../context.js'
import { metadataFields } from '../op/client_metadata.js'
import { readOpHost } from '../op/op_host.js'
import { changedMembers } from '../op/registration_request.js'
import { checkExposure } from '../op/response_type.js'
import { refused } from '../refused.js'
import { accessFields, accessOf } from '../registration_secrets.js'
import { claimOfKey, registerSite, registerSiteErrors } from '../registrations.js'
import {
  checkLength,
  checkRedirectUri,
  settingFields,
  settingsOf,
  warnOfUnsafe,
} from '../site_settings.js'

const fields = {
  authorization_redirect_uri: required(
    string({
      doc: 'Where the OP sends the browser back to after a login. `{op}` in it, and in redirect_uris, becomes a name of the OP: a website with several OPs gives each its own so.',
      spec: 'RFC 6749 3.1.2',
    }),
  ),
  op_host: string({
    doc: "The OP's issuer address. Without it, the daemon's default OP.",
    spec: 'OIDC Discovery 4',
  }),
  op_discovery_path: string({
    doc: 'Path between op_host and `/.well-known/openid-configuration`.',
  }),
  idempotency_key: string({
    doc: "A random value of the caller's. The same key answers the same oxd_id, however often it is sent; the SDK keeps it in the cfg.",
    secret: true,
  }),
  redirect_uris: strings({ doc: 'Further redirect URIs to register.', spec: 'RFC 7591 2' }),
  ...settingFields,
  ...metadataFields,
  client_id: string({ doc: "A client that the OP's operator issued. Skips registration." }),
  client_secret: string({ doc: 'The secret of that client.', secret: true }),
  ...accessFields,
}

const errors = ['invalid_op_host', ...registerSiteErrors] as const

export const register_site = command({
  doc: "Makes a website known to the daemon: registers it at its OP (dynamic registration), or takes the client that the OP's operator issued. The returned oxd_id names the site in every other command. The parameters may have 64 KiB in all.",
  spec: ['RFC 7591 3', 'OIDC Registration 3'],
  retry: 'never',
  asks_op: true,
  params: fields,
  result: {
    oxd_id: required(string({ doc: 'The site, in every other command.' })),
    op_host: required(string({ doc: 'The OP it is registered at.' })),
    changed: strings({
      doc: 'Metadata that the OP registered otherwise than it was asked for, by its names. relyd goes by what the OP registered.',
      spec: 'RFC 7591 3.2.1',
    }),
    authorization_redirect_uri: string({
      doc: 'Where logins come back to, where that was given with `{op}` in it.',
    }),
  },
  errors,
  run: (context, _site, given) => registerAs(context, given),
})

/**
 * What the command does, also for a site that has a setup client or is one.
 *
 * @param setup_client as its settings have it, which no parameter sets
 */
export async function registerAs(
  context: Context<(typeof errors)[number]>,
  params: Values<typeof fields>,
  setup_client?: string,
) {
  const { op, settings, refuse } = context
  const op_host = params.op_host ?? settings.default_op
  if (op_host === undefined) {
    return refuse('invalid_op_host', 'op_host is missing, and the daemon has no default_op', {
      details: { field: 'op_host' },
    })
  }
  checkLength(params)
  const redirect_uris = [params.authorization_redirect_uri, ...(params.redirect_uris ?? [])]
  checkRedirectUri(params.authorization_redirect_uri, 'authorization_redirect_uri')
  for (const uri of params.redirect_uris ?? []) checkRedirectUri(uri, 'redirect_uris')
  checkRedirectUri(params.post_logout_redirect_uri, 'post_logout_redirect_uri')
  checkExposure(params, context.realm)
  if (params.client_secret !== undefined && params.client_id === undefined) {
    return refuse('invalid_request', 'client_id is missing; client_secret belongs to one', {
      details: { field: 'client_id' },
    })
  }

  const { idempotency_key, client_id, client_secret } = params
  const access = accessOf(params)
  const stray = Object.keys(accessFields).find((name) => name in params)
  if (client_id !== undefined && stray !== undefined) {
    const why = 'is of no use with a client_id, for nothing is registered then; leave one out'
    throw refused(stray, why)
  }
  const { idempotency_key: _, ...asked } = params
  const issuer = readOpHost(op.http, op_host, params.op_discovery_path)
  const wished = settingsOf({ ...params, setup_client })
  const { oxd_id } = await registerSite(context, issuer, {
    claim: claimOfKey(idempotency_key, asked),
    issued:
      client_id === undefined ? undefined : { client_id, ...(client_secret && { client_secret }) },
    wishes: { redirect_uris: [...new Set(redirect_uris)], settings: wished },
    access,
  })
  warnOfUnsafe(context.log, oxd_id, wished)
  const site = await context.store.getSite(oxd_id, context.realm.name)
  const changed = site ? changedMembers(site) : []
  const is_made = site !== undefined && site.redirect_uri !== params.authorization_redirect_uri
  return {
    oxd_id,
    op_host: issuer,
    ...(changed.length > 0 && { changed }),
    ...(is_made && { authorization_redirect_uri: site.redirect_uri }),
  }
}
