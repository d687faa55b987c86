/** Makes sites: one registration for each idempotency key, however often and from wherever it is asked. */
import { createHmac, randomUUID } from 'node:crypto'
import type { Context, Realm, Services } from './context.js'
import { sameDigest, sha256 } from './digest.js'
import { CommandError } from './errors.js'
import { checkApart, lastPlace, redirectUriFor } from './op/arrival.js'
import { checkRegistration } from './op/client.js'
import { preferredSecretMethod } from './op/client_authentication.js'
import { type ClientCredential, checkMacKey, issuedClient } from './op/client_credential.js'
import { admitOp } from './op/discovery.js'
import type { OpSide } from './op/op_side.js'
import type { Provider } from './op/provider.js'
import {
  checkAnswered,
  type Registration,
  registerClient,
  registrationErrors,
  settingsAnswered,
} from './op/registration.js'
import { unregisterClient } from './op/registration_access.js'
import { checkWishes, type RegistrationWishes } from './op/registration_request.js'
import { checkTransport } from './op/response_type.js'
import { quotaExceeded } from './quota.js'
import { randomToken } from './random.js'
import { renewalOf } from './registration_changes.js'
import type { AccessSecrets } from './registration_secrets.js'
import { answerAlgs, checkIssued, withoutMetadata } from './site_changes.js'
import type { RegistrationFound, Site, SiteSettings } from './store/store.js'

/**
 * For how many OP timeouts a registration belongs to the call that began it: more than the calls it
 * takes (metadata, keys, registration) and the wait for a place before each.
 */
const LEASE_TIMEOUTS = 12

export interface NewSite {
  wishes: RegistrationWishes
  /** What the OP wants to see before it registers the site. */
  access?: AccessSecrets
  /** A client that the OP's operator issued. */
  issued?: { client_id: string; client_secret?: string } | undefined
  claim: Claim
}

/** What one registration is known by, however often and from wherever it is asked for. */
export interface Claim {
  idempotency_hash: Buffer
  /** Tells registrations under the same key apart. */
  params_hash: Buffer
  /** The operator's, in the place of a key. */
  name?: string
}

/** Parameters of a registration. */
type Asked = object & { token_endpoint_auth_method?: unknown }

/**
 * A site's claim.
 *
 * @param asked everything that was asked for
 */
export function claimOfKey(idempotency_key = randomToken(32), asked: Asked): Claim {
  return {
    idempotency_hash: sha256(idempotency_key),
    // Keyed, for the parameters hold a secret that the hash must not let anybody guess.
    params_hash: createHmac('sha256', idempotency_key)
      .update(JSON.stringify(sorted(named(asked))))
      .digest(),
  }
}

/** With the name that a parameter had before, so that what was registered then is known again. */
function named({ token_endpoint_auth_method: method, ...asked }: Asked): object {
  return method === undefined ? asked : { ...asked, client_token_endpoint_auth_method: method }
}

/**
 * The operator's claim. Whoever finds it made compares the site, not the parameters, which an update
 * may have left behind.
 */
export function claimOfName(name: string): Claim {
  // No text has the byte 0xff in UTF-8: no site's key can be taken for a name.
  const idempotency_hash = sha256(Buffer.concat([Buffer.of(0xff), Buffer.from(name)]))
  return { idempotency_hash, params_hash: Buffer.alloc(32), name }
}

/** Codes that {@link registerSite} can end with. */
export const registerSiteErrors = [
  'no_connect_discovery_response',
  'invalid_op_metadata',
  'registration_in_progress',
  'idempotency_key_reused',
  'invalid_authorization_redirect_uri',
  ...registrationErrors,
] as const

type RegistrationContext = Pick<
  Context<(typeof registerSiteErrors)[number]>,
  'store' | 'clock' | 'realm' | 'op' | 'refuse'
>

/**
 * Registers a site at an OP and stores it, or answers the site that the same claim made before,
 * without asking the OP again.
 *
 * @param op_host as `readOpHost` gives it
 * @returns the oxd_id, and whether the site is new
 */
export async function registerSite(
  context: RegistrationContext,
  op_host: string,
  site: NewSite,
): Promise<{ oxd_id: string; made: boolean }> {
  const { store, clock, realm, op, refuse } = context
  const now = clock()
  const { idempotency_hash, params_hash, name } = site.claim
  checkWishes(site.wishes)
  const answerOf = (found: NonNullable<RegistrationFound>) => {
    if (!sameDigest(found.params_hash, params_hash)) {
      return refuse(
        'idempotency_key_reused',
        'idempotency_key stands for a registration with other parameters; remove it (and the id) from the cfg to register anew',
        { details: { field: 'idempotency_key' } },
      )
    }
    if (found.outcome === 'registered') return { oxd_id: found.oxd_id, made: false }
    return refuse('registration_in_progress', 'another caller is registering this site; try again')
  }
  const found = await store.findRegistration(realm.name, idempotency_hash, now)
  if (found) return answerOf(found)
  if (name === undefined && !realm.registrations.take()) {
    throw quotaExceeded(realm, { quota: 'registrations_per_minute', level: 'realm' })
  }
  await admitOp(op, op_host)
  // The intent is committed before the OP is asked: a second caller waits instead of asking too.
  const start = await store.beginRegistration(
    {
      realm: realm.name,
      idempotency_hash,
      params_hash,
      oxd_id: randomUUID(),
      lease_until: now + LEASE_TIMEOUTS * op.http.timeout,
      name,
    },
    now,
    realm.quotas,
  )
  if (start.outcome === 'exceeded') throw quotaExceeded(realm, start)
  if (start.outcome !== 'begun') return answerOf(start)
  try {
    const provider = await op.providers.get(op_host)
    const here = { ...site, wishes: wishesAt(provider, site.wishes) }
    const place = lastPlace(name !== undefined)
    await checkApart(store, op, provider, realm.name, here.wishes.redirect_uris, place)
    const registration = here.issued
      ? givenClient(provider, here.wishes, here.issued)
      : await registerClient(op, provider, here.wishes, here.access)
    const made = newSite(context, provider, start.oxd_id, here, registration)
    try {
      checkAnswered(made, clock(), registration.asked_method)
      await checkRegistration(context.op, made)
      await store.finishRegistration(made, idempotency_hash)
    } catch (error) {
      // Nobody will use what the OP has just made.
      await unregisterClient(op, made).catch(() => {})
      throw error
    }
  } catch (error) {
    await store.abandonRegistration(realm.name, idempotency_hash, start.oxd_id)
    throw error
  }
  return { oxd_id: start.oxd_id, made: true }
}

/** A site whose client the OP's operator issued, as relyd's operator describes it. */
export interface IssuedSite {
  client_id: string
  credential: ClientCredential
  /** The site's own first, then those that the OP knows besides. */
  redirect_uris: [string, ...string[]]
  /** Among them how the OP signs and encrypts what it answers; absent, as its metadata offers. */
  settings: SiteSettings
}

/**
 * Makes a site of a client that the OP's operator issued. It is checked, with the OP's documents,
 * and not stored.
 *
 * @param op_host as `readOpHost` gives it
 * @throws CommandError `invalid_request` (with `details.field`) for a credential that will not do,
 * `op_host_not_allowed`, `no_connect_discovery_response`, `invalid_op_metadata`, `op_unreachable`
 */
export async function issuedSite(
  { realm, clock, op }: Pick<Services, 'clock'> & { realm: Realm; op: OpSide },
  op_host: string,
  given: IssuedSite,
): Promise<Site> {
  checkIssued(given.settings)
  checkWishes({ redirect_uris: given.redirect_uris, settings: given.settings })
  const { client, secrets } = issuedClient(given.client_id, given.credential, clock())
  await admitOp(op, op_host)
  const provider = await op.providers.get(op_host)
  const redirect_uris = given.redirect_uris.map((uri) => redirectUriFor(uri, provider.issuer))
  checkTransport(given.settings.response_type, redirect_uris[0] as string)
  const site: Site = {
    oxd_id: randomUUID(),
    realm: realm.name,
    op_host: provider.op_host,
    issuer: provider.issuer,
    redirect_uri: redirect_uris[0] as string,
    registered_by: 'operator',
    client: {
      ...client,
      redirect_uris,
      ...answerAlgs(given.settings),
    },
    settings: withoutMetadata(given.settings),
    created_at: clock(),
    secrets,
  }
  await checkRegistration(op, site)
  return site
}

/** What the site wishes, with its redirect URIs for this OP. */
function wishesAt({ issuer }: Provider, wishes: RegistrationWishes): RegistrationWishes {
  return {
    ...wishes,
    redirect_uris: wishes.redirect_uris.map((uri) => redirectUriFor(uri, issuer)),
  }
}

function newSite(
  { realm, clock }: RegistrationContext,
  provider: Provider,
  oxd_id: string,
  { wishes, issued, claim }: NewSite,
  { client, secrets }: Registration,
): Site {
  const { redirect_uris } = wishes
  const settings: SiteSettings = issued
    ? withoutMetadata(wishes.settings)
    : {
        ...wishes.settings,
        ...(redirect_uris.length > 1 && { redirect_uris: [...redirect_uris] }),
      }
  return {
    oxd_id,
    realm: realm.name,
    op_host: provider.op_host,
    issuer: provider.issuer,
    redirect_uri: redirect_uris[0] as string,
    registered_by: issued ? 'operator' : 'relyd',
    client,
    settings: settingsAnswered({ client, settings }),
    created_at: clock(),
    secrets,
    name: claim.name ?? null,
    renew_at: issued ? null : renewalOf({ client }, clock()),
  }
}

function givenClient(
  provider: Provider,
  wishes: RegistrationWishes,
  { client_id, client_secret }: NonNullable<NewSite['issued']>,
): Registration {
  const { metadata = {}, response_type } = wishes.settings
  checkTransport(response_type, wishes.redirect_uris[0] as string)
  const method =
    (metadata['token_endpoint_auth_method'] as string | undefined) ??
    (client_secret === undefined ? 'none' : preferredSecretMethod(provider.metadata))
  if (method === 'private_key_jwt') {
    throw new CommandError(
      'invalid_request',
      'token_endpoint_auth_method cannot be private_key_jwt for a client that somebody issued: leave client_id out, and relyd registers one with a key of its own; or have the operator of relyd add the site with its key',
      { details: { field: 'token_endpoint_auth_method' } },
    )
  }
  if (method !== 'none' && client_secret === undefined) {
    throw new CommandError('invalid_request', `client_secret is missing; ${method} needs it`, {
      details: { field: 'client_secret' },
    })
  }
  if (method === 'client_secret_jwt') checkMacKey(client_secret ?? '', 'HS256')
  return {
    client: { ...answerAlgs(wishes.settings), client_id, token_endpoint_auth_method: method },
    secrets: client_secret === undefined ? {} : { client_secret },
  }
}

/** The same value with the members of its objects in one order, whatever order a client's language has. */
function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(sorted)
  const members = Object.entries(value).map(([name, one]) => [name, sorted(one)] as const)
  return Object.fromEntries(members.sort(([a], [b]) => (a < b ? -1 : 1)))
}
