/**
 * Protection of oxd's commands: each shows an access token of the setup client of its site, and the OP
 * tells whose it is.
 */
import { sha256 } from '../digest.js'
import { CommandError, type ErrorCode } from '../errors.js'
import { lookUp, takeLookup } from '../lookups.js'
import { type Introspection, introspect } from '../op/introspection.js'
import type { Site } from '../store/store.js'
import type { OxdContext } from './oxd_command.js'
import { isForItsTokensAlone } from './setup_clients.js'

/** In the place of an oxd_id, of a setup client: its own tokens protect its commands. */
export const SELF = 'self'

/** As how many setup clients, at most, an OP is asked about a token that nobody remembers. */
const CANDIDATES = 5

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
  | 'log'
  | 'protection_access_token'
>

export function isSetupClient({ settings }: Pick<Site, 'settings'>): boolean {
  return settings.setup_client === SELF
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
  if (clientOf(told) !== setup_client.client.client_id) {
    throw invalid('was issued to another client than the setup client of this site')
  }
  checkIsItsOwn(told, setup_client)
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

/**
 * The setup client that a new site is to belong to: that whose token its register_site shows. It is
 * found before anything is registered.
 *
 * @returns its oxd_id; undefined where no token is shown that is good, nor wanted
 * @throws CommandError
 */
export async function setupClientForNewSite(
  context: ProtectionContext,
  op: { op_host?: string; op_discovery_path?: string },
): Promise<string | undefined> {
  const { realm, log, protection_access_token: token } = context
  checkShown(context)
  if (token === undefined) return undefined
  try {
    return await ownerOf(context, token, op)
  } catch (error) {
    if (realm.protect_commands_with_access_token || !isOfToken(error)) throw error
    // Clients send old ones along.
    log.warn({ outcome: error.code }, 'a protection_access_token is not good, and binds no site')
    return undefined
  }
}

/** That it is no good, or that nobody could tell: not that the OP could not be asked now. */
function isOfToken(error: unknown): error is CommandError {
  return error instanceof CommandError && ofToken.includes(error.code)
}

const ofToken: readonly string[] = [
  'inactive_protection_access_token',
  'invalid_protection_access_token',
  'protection_access_token_insufficient_scope',
  'invalid_introspection_response',
  'no_introspection_endpoint_at_op',
] satisfies ErrorCode[]

async function ownerOf(
  context: ProtectionContext,
  token: string,
  { op_host, op_discovery_path }: { op_host?: string; op_discovery_path?: string },
): Promise<string> {
  const { realm, sites, store } = context
  const oxd_id = realm.client_tokens.get(keyOf(token))
  const remembered = oxd_id === undefined ? undefined : await sites.get(oxd_id, realm.name)
  if (!remembered && !realm.protect_commands_with_access_token) throw inactive()
  const { issuer } = await lookUp(context, op_host, op_discovery_path)
  const { told, asked_as } = await introspectAsAny(context, issuer, token, remembered)
  const client_id = clientOf(told)
  const found = await store.setupClientsOf(realm.name, issuer, client_id)
  const named = found.filter(({ client }) => client.client_id === client_id)
  const owner = named.find(({ oxd_id }) => oxd_id === asked_as.oxd_id) ?? named[0]
  if (!owner) throw ofNoSetupClient()
  checkIsItsOwn(told, owner)
  return owner.oxd_id
}

/** An OP may tell a client of its own tokens only, and any setup client may have lost its registration. */
async function introspectAsAny(
  { op, realm, store, renewals }: ProtectionContext,
  issuer: string,
  token: string,
  remembered: Site | undefined,
): Promise<{ told: Introspection; asked_as: Site }> {
  const first =
    remembered && isSetupClient(remembered) && remembered.issuer === issuer ? remembered : undefined
  const others = realm.protect_commands_with_access_token
    ? await store.setupClients(realm.name, issuer, op.clock(), CANDIDATES)
    : []
  let failure: CommandError | undefined
  for (const candidate of [first, ...others]) {
    if (!candidate || (candidate !== first && candidate.oxd_id === first?.oxd_id)) continue
    // Nobody's token, perhaps: made-up ones must not have an OP asked without end.
    if (candidate !== first) takeLookup(realm)
    try {
      const asked_as = await renewals.ifExpired(realm, candidate)
      const told = await introspect(op, asked_as, token)
      if (told.active) return { told, asked_as }
      failure = inactive()
      if (candidate === first) break
    } catch (error) {
      if (!(error instanceof CommandError) || error.retryable) throw error
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

/** Not one of an End-User's, who gets tokens of the same client where it logs people in, too. */
function checkIsItsOwn(told: Introspection, setup_client: Site): void {
  const { scope = '', sub, username, client_id } = told
  if (!scope.split(' ').includes(PROTECTION_SCOPE) && needsScope(setup_client)) {
    throw new CommandError(
      'protection_access_token_insufficient_scope',
      `the protection_access_token lacks the scope ${PROTECTION_SCOPE}; have get_client_token ask for it`,
    )
  }
  // One that relyd registered logs nobody in, so that its tokens may have any subject.
  if (isMadeHere(setup_client) && isForItsTokensAlone(setup_client)) return
  // RFC 9068 5.
  if ([sub, username].every((one) => one === undefined || one === client_id)) return
  throw invalid(
    "was issued on an End-User's behalf, as far as the OP tells, and is not the client's own; where an OP gives those a subject, let relyd register the setup client",
  )
}

/** Whether relyd registered it, and for its tokens alone, unless its OP registered more. */
export function isMadeHere({ registered_by }: Pick<Site, 'registered_by'>): boolean {
  return registered_by === 'relyd'
}

/** An OP may not have the scope. Then what was registered for its tokens alone goes without. */
function needsScope(setup_client: Site): boolean {
  return !isMadeHere(setup_client) || registeredScope(setup_client).includes(PROTECTION_SCOPE)
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

function invalid(why: string): CommandError {
  return new CommandError('invalid_protection_access_token', `the protection_access_token ${why}`)
}

function ofNoSetupClient(): CommandError {
  return invalid('was issued to no setup client that this realm has at this OP')
}

function keyOf(token: string): string {
  return sha256(token).toString('base64')
}

/** Remembers for which setup client this daemon got a token. */
export function rememberToken({ realm }: ProtectionContext, token: string, { oxd_id }: Site): void {
  realm.client_tokens.set(keyOf(token), oxd_id)
}
