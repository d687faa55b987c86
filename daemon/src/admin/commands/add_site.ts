import { boolean, required, string, type Values } from '../../command.js'
import type { Realm } from '../../context.js'
import { CommandError } from '../../errors.js'
import { checkApart, lastPlace, redirectUriFor } from '../../op/arrival.js'
import { preferredSecretMethod } from '../../op/client_authentication.js'
import { admitOp } from '../../op/discovery.js'
import { readOpHost } from '../../op/op_host.js'
import { checkExposure } from '../../op/response_type.js'
import { quotaExceeded } from '../../quota.js'
import { claimOfName, issuedSite, registerSite, registerSiteErrors } from '../../registrations.js'
import { checkLength, checkRedirectUri, settingsOf, warnOfUnsafe } from '../../site_settings.js'
import type { Site } from '../../store/store.js'
import { type AdminContext, adminCommand } from '../admin_command.js'
import { checkSame } from '../same_site.js'
import { selectSite, servedRealm, wholeSite } from '../select_site.js'
import {
  checkName,
  credentialParams,
  pick,
  requiredCredentialOf,
  settingParams,
  wishedMethod,
} from '../site_params.js'
import { describeOneSite, oneSiteResult } from '../site_result.js'

const errors = ['invalid_op_host', 'site_exists', 'no_such_site', ...registerSiteErrors] as const

const params = {
  name: required(
    string({ doc: "The operator's name of the site, which no other of its realm has." }),
  ),
  realm: string({ doc: 'The realm it belongs to. Default: default.', maxLength: 32 }),
  op_host: string({ doc: "The OP's issuer address. Default: the daemon's default OP." }),
  client_id: string({
    doc: "The client that the OP's operator issued. Without it, relyd registers one, where the OP offers that.",
  }),
  ...credentialParams,
  ...settingParams,
  redirect_uris: required(settingParams.redirect_uris),
}

type Params = Values<typeof params>

type AddContext = AdminContext<(typeof errors)[number]>

export const add_site = adminCommand({
  doc: 'Makes a website known to the daemon, with a client that its OP issued. What is there already, just so, is left as it is.',
  spec: ['RFC 7591 3', 'OIDC Core 9', 'RFC 8705 2'],
  params,
  result: {
    ...oneSiteResult,
    made: required(boolean({ doc: 'Whether the site is new.' })),
  },
  errors,
  async run(context, params) {
    const { name, redirect_uris } = params
    checkName(name)
    const realm = servedRealm(context, params.realm ?? 'default')
    const op_host = params.op_host ?? context.settings.default_op
    if (op_host === undefined) {
      return context.refuse('invalid_op_host', 'op_host is missing, and relyd has no default_op', {
        details: { field: 'op_host' },
      })
    }
    if (redirect_uris[0] === undefined) {
      return context.refuse('invalid_request', 'redirect_uris is empty; give one at least', {
        details: { field: 'redirect_uris' },
      })
    }
    checkLength(pick(settingParams, params))
    checkExposure(params, realm)
    for (const uri of redirect_uris) checkRedirectUri(uri, 'redirect_uris')
    checkRedirectUri(params.post_logout_redirect_uri, 'post_logout_redirect_uri')
    const issuer = readOpHost(realm.op.http, op_host)
    const made =
      params.client_id === undefined
        ? await registerAnew(context, realm, issuer, params)
        : await addIssued(context, realm, issuer, params, params.client_id)
    const site = await selectSite(context, { site: name, realm: realm.name })
    if (made) warnOfUnsafe(context.log, site.oxd_id, site.settings)
    return { ...describeOneSite(site), made }
  },
})

/** Stores a site whose client exists at the OP. @returns whether it is new */
async function addIssued(
  context: AddContext,
  realm: Realm,
  op_host: string,
  params: Params,
  client_id: string,
): Promise<boolean> {
  const { op } = realm
  await admitOp(op, op_host)
  const provider = await op.providers.get(op_host)
  const given = pick(credentialParams, params)
  const credential = requiredCredentialOf(given, () => preferredSecretMethod(provider.metadata))
  const wanted: Site = {
    ...(await issuedSite({ ...context, realm, op }, op_host, {
      client_id,
      credential,
      redirect_uris: unique(params.redirect_uris),
      settings: settingsOf(params),
    })),
    name: params.name,
  }
  const { redirect_uris = [] } = wanted.client as { redirect_uris?: string[] }
  await checkApart(context.store, op, provider, realm.name, redirect_uris, lastPlace(true))
  const added = await context.store.addSites([wanted], context.clock(), () => realm.quotas)
  if (added === 'added') return true
  if (added.outcome === 'exceeded') throw quotaExceeded(realm, added)
  const listed = await selectSite(context, { site: params.name, realm: realm.name })
  checkSame(await wholeSite(context, listed), wanted)
  return false
}

/** RFC 7591: registers a client, once for the name. @returns whether the site is new */
async function registerAnew(
  context: AddContext,
  realm: Realm,
  op_host: string,
  params: Params,
): Promise<boolean> {
  const { auth_method, signing_alg, ...credentials } = pick(credentialParams, params)
  const [stray] = Object.keys(credentials)
  if (stray !== undefined) {
    throw new CommandError('invalid_request', `client_id is missing; ${stray} belongs to one`, {
      details: { field: 'client_id' },
    })
  }
  const settings = settingsOf({
    ...params,
    ...wishedMethod(pick(credentialParams, { auth_method, signing_alg })),
  })
  const redirect_uris = unique(params.redirect_uris)
  const { oxd_id, made } = await registerSite({ ...context, realm, op: realm.op }, op_host, {
    claim: claimOfName(params.name),
    wishes: { redirect_uris, settings },
  })
  if (!made) {
    const stored = await context.store.getSite(oxd_id, realm.name)
    const { scope } = stored?.settings ?? settings
    const here = redirect_uris.map((uri) => redirectUriFor(uri, stored?.issuer ?? op_host))
    const all = here.length > 1 && { redirect_uris: here }
    const wished_scope = stored?.settings.wished_scope && settings.scope
    const wanted = {
      op_host,
      redirect_uri: here[0],
      registered_by: 'relyd',
      // The OP may allow less than the scope that is wished for.
      settings: { ...settings, ...all, ...(wished_scope && { scope, wished_scope }) },
    }
    // What else it is, the OP has said.
    if (stored)
      checkSame(stored, { ...stored, ...wanted } as Site, ['op_host', 'redirect_uris', 'settings'])
  }
  return made
}

function unique(uris: readonly string[]): [string, ...string[]] {
  return [...new Set(uris)] as [string, ...string[]]
}
