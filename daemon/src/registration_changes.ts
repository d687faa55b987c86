/** Changes of a site that its OP must know of, and what the OP answers to them, stored before it is lost. */
import { isDeepStrictEqual } from 'node:util'
import type { Seconds } from './clock.js'
import type { Realm, Services } from './context.js'
import { CommandError } from './errors.js'
import { checkRegistration, providerOf } from './op/client.js'
import type { OpSide } from './op/op_side.js'
import { withToldKeys } from './op/own_keys.js'
import {
  asksOtherwise,
  checkAnswered,
  readRegistration,
  registrationErrors,
  settingsAnswered,
  usableSecrets,
} from './op/registration.js'
import {
  type Answer,
  isAccessible,
  readClient,
  registrationAccessErrors,
  unregisterClient,
  updateClient,
  updateRequest,
} from './op/registration_access.js'
import { changedMembers, checkWishes, wishesOf } from './op/registration_request.js'
import { quotaExceeded } from './quota.js'
import type { OwnKey, Site } from './store/store.js'

/** Codes that a change of a registration can end with. */
export const registrationChangeErrors = [
  'invalid_oxd_id',
  'site_changed',
  'no_connect_discovery_response',
  'invalid_op_metadata',
  ...registrationErrors,
  ...registrationAccessErrors,
] as const

export type ChangeContext = Pick<Services, 'store' | 'sites' | 'clock' | 'exchanges'> & {
  op: OpSide
  /** Takes the right to ask the OP from a budget. @throws CommandError `quota_exceeded` */
  spend?: () => void
}

/** A site's own changes count as registrations do: each may have keys made, and the OP work. */
export function atSitesCost<C extends { realm: Realm }>(context: C): C & { spend: () => void } {
  const { realm } = context
  const spend = () => {
    if (realm.registrations.take()) return
    throw quotaExceeded(realm, { quota: 'registrations_per_minute', level: 'realm' })
  }
  return { ...context, spend }
}

/** How often others may be faster before a change is given up. */
const ATTEMPTS = 20

/**
 * Changes a site by what it is at that moment, whoever else changes it meanwhile.
 *
 * @param change perhaps called several times
 * @returns the site as it is then
 * @throws CommandError `invalid_oxd_id` if it was removed, `site_changed` if others are faster for ever
 */
export async function changeSite(
  { store, sites }: Pick<ChangeContext, 'store' | 'sites'>,
  { oxd_id, realm }: Pick<Site, 'oxd_id' | 'realm'>,
  change: (site: Site) => Site,
): Promise<Site> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const stored = await storedSite(store, { oxd_id, realm })
    const changed = change(stored)
    if (changed === stored) return stored
    const outcome = await store.updateSite(changed)
    if (outcome === 'name_taken') {
      throw new CommandError('site_exists', `the realm has a site ${changed.name} already`)
    }
    if (outcome === 'changed') continue
    sites.forget(changed)
    return { ...changed, version: (stored.version ?? 1) + 1 }
  }
  throw new CommandError('site_changed', 'others keep changing the site')
}

async function storedSite(
  store: Services['store'],
  { oxd_id, realm }: Pick<Site, 'oxd_id' | 'realm'>,
): Promise<Site> {
  const stored = await store.getSite(oxd_id, realm)
  if (stored) return stored
  throw new CommandError('invalid_oxd_id', 'the site was removed meanwhile')
}

/** Seconds before its end in which a secret is renewed: a quarter of its life, within these. */
const EARLIEST: Seconds = 14 * 24 * 60 * 60
const LATEST: Seconds = 60 * 60

/** When a registration that was just answered is to be renewed; null, never. */
export function renewalOf({ client }: Pick<Site, 'client'>, now: Seconds): Seconds | null {
  const { client_secret_expires_at: expires_at = 0 } = client
  if (expires_at === 0) return null
  const life = Math.max(0, expires_at - now)
  const quarter = Math.floor(life / 4)
  const margin = Math.min(Math.max(quarter, Math.min(LATEST, Math.floor(life / 2))), EARLIEST)
  return expires_at - margin
}

/**
 * Changes a site. Where its OP must know of it, and relyd made the registration, the OP is asked
 * first, and has the last word.
 *
 * @param change makes the new site of what it is; perhaps called several times
 * @throws CommandError with one of {@link registrationChangeErrors}, or `invalid_request` for what the
 * OP does not offer. Nothing is changed then, but tokens and secrets that the OP has replaced.
 */
export async function changeRegistration(
  context: ChangeContext,
  site: Site,
  change: (site: Site) => Site,
): Promise<Site> {
  return context.exchanges.inTurn(site.oxd_id, async () => {
    const stored = await storedSite(context.store, site)
    const wanted = change(stored)
    checkWishes(wishesOf(wanted))
    if (stored.registered_by === 'operator') {
      await checkRegistration(context.op, wanted)
      return changeSite(context, site, change)
    }
    if (!concernsOp(context.op, stored, wanted)) return changeSite(context, site, change)
    context.spend?.()
    return exchange(context, stored, (one, write) => update(context, one, change(one), write), {
      change,
    })
  })
}

/** Whether an OP must be told, or is asked once more for what it did not register as it was asked to. */
function concernsOp(op: OpSide, stored: Site, wanted: Site): boolean {
  if (asksOtherwise(wishesOf(stored), wishesOf(wanted))) return true
  const isRepeated = isDeepStrictEqual(stored, wanted)
  return isRepeated && changedMembers(stored).length > 0 && isAccessible(op, stored)
}

/** Reads the registration at the OP (RFC 7592 2.1), and takes over what it says. */
export async function readRegistrationAtOp(
  context: ChangeContext,
  site: Site,
  isFirst?: boolean,
): Promise<Site> {
  context.spend?.()
  return context.exchanges.inTurn(
    site.oxd_id,
    async () =>
      exchange(context, await storedSite(context.store, site), async (one) => ({
        answer: await readClient(context.op, one),
      })),
    isFirst,
  )
}

/** Puts the registration at the OP as it is (RFC 7592 2.2): an OP may answer a new secret to it. */
export async function renewRegistrationAtOp(
  context: ChangeContext,
  site: Site,
  isFirst = true,
): Promise<Site> {
  return context.exchanges.inTurn(
    site.oxd_id,
    async () =>
      exchange(context, await storedSite(context.store, site), (one, write) =>
        update(context, one, one, write),
      ),
    isFirst,
  )
}

/** Removes the registration at the OP, with the token that it answered last. */
export async function removeRegistration(context: ChangeContext, site: Site): Promise<boolean> {
  return context.exchanges.inTurn(site.oxd_id, async () => {
    // The cached one's token may have been replaced, and the OP's 401 be taken for its removal.
    const stored = await context.store.getSite(site.oxd_id, site.realm)
    return unregisterClient(context.op, stored ?? site)
  })
}

/** What an OP answered, and the keys that it was told of. */
interface Exchanged {
  answer: Answer
  /** How the client was to authenticate; absent, as before. */
  asked_method?: unknown
  own_keys?: readonly OwnKey[]
}

/** Writes to the site's row in the course of an exchange. */
type Write = (change: (site: Site) => Site) => Promise<void>

/** RFC 7592 2.2. New keys are stored before: what the OP encrypts to them must be read, whatever becomes of its answer. */
async function update(
  context: ChangeContext,
  site: Site,
  wanted: Site,
  write: Write,
): Promise<Exchanged> {
  const { op, clock } = context
  const { request, own_keys } = await updateRequest(op, site, wanted)
  const { own_keys: known = [] } = site.secrets
  const made = own_keys.filter(({ kid }) => !known.some((key) => key.kid === kid))
  const reused = own_keys.filter(
    ({ kid, use, retired_at }) =>
      use === 'enc' &&
      retired_at === undefined &&
      known.some((key) => key.kid === kid && key.retired_at !== undefined),
  )
  if (made.length + reused.length > 0) {
    const waiting = made.map(({ ready_at: _, ...key }) => key)
    const retired_at = clock()
    await write((one) => {
      const kept = (one.secrets.own_keys ?? []).map((key) =>
        reused.some(({ kid }) => kid === key.kid) ? { ...key, retired_at } : key,
      )
      return withSecrets(one, { own_keys: [...waiting, ...kept] })
    })
  }
  const { token_endpoint_auth_method: asked_method } = request
  return { answer: await updateClient(op, site, request), own_keys, asked_method }
}

/** How often an OP is asked again, where another daemon changes the site at the same time. */
const OVERTAKEN = 5

/**
 * Asks the OP about a registration, and stores what it answers. Where somebody else has changed the
 * site meanwhile, the answer may be older than what is stored, and the OP is asked again.
 */
async function exchange(
  context: ChangeContext,
  site: Site,
  ask: (site: Site, write: Write) => Promise<Exchanged>,
  { change = (one) => one }: { change?: (site: Site) => Site } = {},
): Promise<Site> {
  let stored = site
  for (let attempt = 0; attempt < OVERTAKEN; attempt += 1) {
    const answered = await exchangeOnce(context, stored, ask, change)
    if (answered) return answered
    stored = await storedSite(context.store, site)
    if (!isSameClient(stored, site)) gone()
  }
  throw new CommandError('site_changed', 'others keep changing the site')
}

/**
 * First what replaces tokens and secrets is stored, whatever else is wrong with the answer, for the OP
 * knows the old ones no more.
 *
 * @returns undefined where somebody else has changed the site meanwhile
 */
async function exchangeOnce(
  context: ChangeContext,
  site: Site,
  ask: (site: Site, write: Write) => Promise<Exchanged>,
  change: (site: Site) => Site,
): Promise<Site | undefined> {
  const { op, store, clock } = context
  let asked = site
  let { version } = site
  let is_overtaken = false
  const write: Write = async (step) => {
    const written = await changeSite(context, site, step)
    if (written.version !== (version ?? 1) + 1) is_overtaken = true
    version = written.version
  }
  const {
    answer,
    own_keys: told,
    asked_method,
  } = await ask(asked, write).catch(async (error: unknown) => {
    // Another daemon may have asked meanwhile, and been answered another token.
    const denied = error instanceof CommandError && error.code === 'registration_access_denied'
    const now = denied && (await store.getSite(site.oxd_id, site.realm))
    const { registration_access_token } = site.secrets
    if (!now || now.secrets.registration_access_token === registration_access_token) throw error
    asked = now
    version = now.version
    is_overtaken = false
    return ask(asked, write)
  })
  const rotated = rotatedBy(answer, asked)
  if (rotated) {
    await write((one) => (isSameClient(one, asked) ? withSecrets(one, rotated) : gone()))
  }
  if (is_overtaken) return undefined
  const { client_secret_expires_at } = asked.client
  // Not every OP says it again, of a secret that is still the same.
  const { client, secrets } = readRegistration({
    ...(client_secret_expires_at !== undefined && { client_secret_expires_at }),
    ...answer,
  })
  const { registration_client_uri } = asked.client
  const known = {
    ...(registration_client_uri !== undefined && { registration_client_uri }),
    ...client,
    // Its keys the daemon knows better.
    ...(Array.isArray(asked.client.jwks?.keys) && { jwks: asked.client.jwks }),
  }
  const answered = (one: Site): Site => {
    const changed = change(one)
    const with_answer = { ...withSecrets(changed, secrets), client: known }
    const next = told ? withToldKeys(with_answer, told, clock()) : with_answer
    // Of a secret that is still the same, when it is renewed stays: it may be somebody's lease.
    const isSame = known.client_secret_expires_at === one.client.client_secret_expires_at
    return {
      ...next,
      settings: settingsAnswered(next),
      renew_at: isSame ? (one.renew_at ?? null) : renewalOf(next, clock()),
    }
  }
  const next = answered(asked)
  await providerOf(op, next)
  checkAnswered(next, clock(), asked_method ?? asked.client.token_endpoint_auth_method)
  await checkRegistration(op, next)
  const changed = await changeSite(context, site, (one) => {
    if (!isSameClient(one, asked)) gone()
    is_overtaken = one.version !== version
    return is_overtaken ? one : answered(one)
  })
  return is_overtaken ? undefined : changed
}

function isSameClient(one: Site, other: Site): boolean {
  return one.client.client_id === other.client.client_id
}

function gone(): never {
  throw new CommandError('site_changed', 'the site was registered anew meanwhile')
}

/** RFC 7592 3: what the OP put in the place of tokens and secrets. */
function rotatedBy(answer: Answer, { secrets }: Site): Site['secrets'] | undefined {
  const usable = usableSecrets(answer)
  return isDeepStrictEqual({ ...secrets, ...usable }, secrets) ? undefined : usable
}

function withSecrets(site: Site, secrets: Site['secrets']): Site {
  return { ...site, secrets: { ...site.secrets, ...secrets } }
}
