/**
 * Protection of oxd's commands: each shows an access token of the setup client of its site, and the OP
 * tells whose it is.
 */
import { LRUCache } from 'lru-cache'
import { sha256 } from '../digest.js'
import { CommandError } from '../errors.js'
import { type Introspection, introspect } from '../op/introspection.js'
import type { Site } from '../store/store.js'
import type { OxdCommand, OxdContext } from './oxd_command.js'

/** In the place of an oxd_id, of a setup client: its own tokens protect its commands. */
export const SELF = 'self'

/** What setup clients are registered with, and their tokens must have then. */
export const PROTECTION_SCOPE = 'oxd'

type ProtectionContext = Pick<
  OxdContext,
  'realm' | 'op' | 'sites' | 'store' | 'renewals' | 'protection_access_token'
>

export function isSetupClient({ settings }: Pick<Site, 'settings'>): boolean {
  return settings.setup_client === SELF
}

/**
 * Whether a command may run without a token, whatever the realm wants.
 *
 * @param site absent, as long as nobody has looked for it
 */
export function isExempt({ unprotected }: Pick<OxdCommand, 'unprotected'>, site?: Site): boolean {
  if (unprotected === 'setup_client') return site !== undefined && isSetupClient(site)
  return unprotected === true
}

/** @throws CommandError `blank_protection_access_token`, where the realm wants a token and there is none */
export function checkShown({ realm, protection_access_token }: ProtectionContext): void {
  if (!realm.protect_commands_with_access_token || protection_access_token !== undefined) return
  throw new CommandError(
    'blank_protection_access_token',
    'protection_access_token is missing; get one with get_client_token',
    { details: { field: 'protection_access_token' } },
  )
}

/**
 * Lets nobody command a site but who has a token of its setup client. Where the realm does not want
 * one, none is looked at: clients send old ones along.
 *
 * @throws CommandError
 */
export async function checkProtection(context: ProtectionContext, site: Site): Promise<void> {
  const { realm, protection_access_token: token } = context
  if (!realm.protect_commands_with_access_token) return
  checkShown(context)
  const setup_client = await setupClientOf(context, site)
  const told = await introspect(context.op, setup_client, token as string)
  if (!told.active) throw inactive()
  checkClient(told)
  checkScope(told, setup_client)
  if (told.client_id === setup_client.client.client_id) return
  throw new CommandError(
    'invalid_protection_access_token',
    'the protection_access_token was issued to another client than the setup client of this site',
  )
}

/** The site whose tokens protect this one, with a registration that is good now. */
async function setupClientOf(
  { realm, sites, renewals }: ProtectionContext,
  site: Site,
): Promise<Site> {
  const { setup_client } = site.settings
  const found =
    setup_client === undefined || setup_client === SELF
      ? site
      : await sites.get(setup_client, realm.name)
  // Whoever could choose the OP that is asked could answer what he likes.
  if (found && isSetupClient(found) && found.issuer === site.issuer) {
    return renewals.ifExpired(realm, found)
  }
  throw new CommandError(
    'no_setup_client_for_oxd_id',
    'this site has no setup client, or no longer, whose tokens would protect it',
  )
}

/** Setup clients that are asked as, where nobody remembers whose a token may be. */
const CANDIDATES = 5

/**
 * The setup client that a new site is to belong to: that whose token its register_site shows. It is
 * found before anything is registered.
 *
 * @param issuer of the new site
 * @returns its oxd_id; undefined where no token is shown, nor wanted
 * @throws CommandError
 */
export async function setupClientForNewSite(
  context: ProtectionContext,
  issuer: string,
): Promise<string | undefined> {
  const { op, realm, store, sites, renewals, protection_access_token: token } = context
  checkShown(context)
  if (token === undefined) return undefined
  const remembered = issuedTokens(realm).get(keyOf(token))
  const first = remembered && (await sites.get(remembered, realm.name))
  const others = await store.setupClients(realm.name, issuer, CANDIDATES)
  const candidates = [
    ...(first && isSetupClient(first) && first.issuer === issuer ? [first] : []),
    ...others.filter(({ oxd_id }) => oxd_id !== remembered),
  ]
  let failure: unknown = unknownSetupClient()
  for (const candidate of candidates) {
    // An OP may tell a client of its own tokens only, and one setup client may be broken.
    try {
      const told = await introspect(op, await renewals.ifExpired(realm, candidate), token)
      failure = inactive()
      if (!told.active) continue
      checkClient(told)
      const named = await store.setupClientsOf(realm.name, issuer, told.client_id)
      const owner = named.find(({ oxd_id }) => oxd_id === candidate.oxd_id) ?? named[0]
      if (!owner) throw unknownSetupClient()
      checkScope(told, owner)
      return owner.oxd_id
    } catch (error) {
      failure = error
      if (!(error instanceof CommandError) || isVerdict(error)) throw error
    }
  }
  throw failure
}
