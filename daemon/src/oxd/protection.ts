/**
 * Protection of oxd's commands: each shows an access token of the setup client of its site, and the OP
 * tells whose it is.
 */
import { LRUCache } from 'lru-cache'
import { sha256 } from '../digest.js'
import { CommandError } from '../errors.js'
import { lookUp, takeLookup } from '../lookups.js'
import { type Introspection, introspect } from '../op/introspection.js'
import type { Site } from '../store/store.js'
import type { OxdCommand, OxdContext } from './oxd_command.js'

/** In the place of an oxd_id, of a setup client: its own tokens protect its commands. */
export const SELF = 'self'

/** What setup clients are registered with, and their tokens must have then. */
export const PROTECTION_SCOPE = 'oxd'

type ProtectionContext = Pick<
  OxdContext,
  | 'realm'
  | 'op'
  | 'sites'
  | 'store'
  | 'renewals'
  | 'settings'
  | 'refuse'
  | 'protection_access_token'
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
  const setup_client = await setupClientOfSite(context, site)
  const told = await introspect(context.op, setup_client, token as string)
  if (!told.active) throw inactive()
  const client_id = clientOf(told)
  checkScope(told, setup_client)
  if (client_id === setup_client.client.client_id) return
  throw new CommandError(
    'invalid_protection_access_token',
    'the protection_access_token was issued to another client than the setup client of this site',
  )
}

/** The site whose tokens protect this one, with a registration that is good now. */
async function setupClientOfSite(
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
 * @returns its oxd_id; undefined where no token is shown, nor wanted
 * @throws CommandError
 */
export async function setupClientForNewSite(
  context: ProtectionContext,
  { op_host, op_discovery_path }: { op_host?: string; op_discovery_path?: string },
): Promise<string | undefined> {
  const { realm, store, protection_access_token: token } = context
  checkShown(context)
  if (token === undefined) return undefined
  const { issuer } = await lookUp(context, op_host, op_discovery_path)
  // Nobody's site yet: else made-up tokens would have an OP asked without end.
  takeLookup(realm)
  const { told, asked_as } = await introspectAsAny(context, issuer, token)
  const client_id = clientOf(told)
  const named = await store.setupClientsOf(realm.name, issuer, client_id)
  const owner = named.find(({ oxd_id }) => oxd_id === asked_as.oxd_id) ?? named[0]
  if (!owner) throw ofNoSetupClient()
  checkScope(told, owner)
  return owner.oxd_id
}

/** An OP may tell a client of its own tokens only, and any setup client may have lost its registration. */
async function introspectAsAny(
  { op, realm, sites, store, renewals }: ProtectionContext,
  issuer: string,
  token: string,
): Promise<{ told: Introspection; asked_as: Site }> {
  const remembered = issuedTokens(realm).get(keyOf(token))
  const first = remembered === undefined ? undefined : await sites.get(remembered, realm.name)
  const others = await store.setupClients(realm.name, issuer, CANDIDATES)
  const candidates = [...(first ? [first] : []), ...others].filter(
    (one) => isSetupClient(one) && one.issuer === issuer,
  )
  let failure: CommandError | undefined
  for (const candidate of candidates) {
    try {
      const asked_as = await renewals.ifExpired(realm, candidate)
      const told = await introspect(op, asked_as, token)
      if (told.active) return { told, asked_as }
      failure = inactive()
    } catch (error) {
      if (!(error instanceof CommandError)) throw error
      failure ??= error
    }
  }
  throw failure ?? ofNoSetupClient()
}

/** RFC 7662 2.2 leaves it out as it likes. */
function clientOf({ client_id }: Introspection): string {
  if (client_id !== undefined) return client_id
  throw new CommandError(
    'invalid_introspection_response',
    'the OP does not say to which client the protection_access_token was issued',
  )
}

function checkScope({ scope = '' }: Introspection, setup_client: Site): void {
  const isRegistered = registeredScope(setup_client).includes(PROTECTION_SCOPE)
  if (!isRegistered || scope.split(' ').includes(PROTECTION_SCOPE)) return
  throw new CommandError(
    'protection_access_token_insufficient_scope',
    `the protection_access_token lacks the scope ${PROTECTION_SCOPE}; have get_client_token ask for it`,
  )
}

/** What a client may ask for: the OP's word, and where it said nothing, what it was asked for. */
export function registeredScope({ client, settings }: Pick<Site, 'client' | 'settings'>): string[] {
  const { scope } = client
  return typeof scope === 'string' ? scope.split(' ') : (settings.wished_scope ?? settings.scope)
}

function inactive(): CommandError {
  return new CommandError(
    'inactive_protection_access_token',
    'the protection_access_token is not good, or no longer; get a new one with get_client_token',
  )
}

function ofNoSetupClient(): CommandError {
  return new CommandError(
    'invalid_protection_access_token',
    'the protection_access_token was issued to no setup client that this realm has at this OP',
  )
}

/** Tokens of setup clients that a realm remembers. */
const REMEMBERED = 1000

/** Whose a token was, by its hash: of use to ask the OP as the right client, and believed in nothing else. */
const remembered_tokens = new WeakMap<OxdContext['realm'], LRUCache<string, string>>()

function issuedTokens(realm: OxdContext['realm']): LRUCache<string, string> {
  const known = remembered_tokens.get(realm)
  if (known) return known
  const made = new LRUCache<string, string>({ max: REMEMBERED })
  remembered_tokens.set(realm, made)
  return made
}

function keyOf(token: string): string {
  return sha256(token).toString('base64')
}

/** Remembers for which setup client this daemon got a token. */
export function rememberToken({ realm }: ProtectionContext, token: string, { oxd_id }: Site): void {
  issuedTokens(realm).set(keyOf(token), oxd_id)
}
