/** How a site's own keys are replaced: what is to be done next, worked out from their ages alone. */
import { isDeepStrictEqual } from 'node:util'
import type { Seconds } from '../clock.js'
import type { OwnKey, Site } from '../store/store.js'
import { keptKeys, keysOf, makeOwnKeys, type OwnKeyAlg, publishedKeys } from './own_keys.js'

/**
 * Seconds for which a new key is published before it signs, where the OP fetches `jwks_uri` itself:
 * longer than an OP keeps what it fetched.
 */
const PUBLISHED_AHEAD = 24 * 60 * 60

/** Seconds after which an OP that took no new keys is asked again, and nobody else asks it. */
const ASKED_AGAIN = 60 * 60

/**
 * - `make`: new keys are to be made
 * - `tell`: the OP is to be told of keys that are there
 * - `store`: some are no longer published, or needed, and the OP need not be told
 */
export type KeyStep = 'make' | 'tell' | 'store'

/** How an OP learns of new keys; undefined where it cannot. */
export type Telling = 'update' | 'jwks_uri' | undefined

/**
 * RFC 7592 2.2: by an update of what relyd registered; or the OP fetches what the site publishes at
 * its `jwks_uri` (`get_rp_jwks`).
 */
export function tellingOf({ client, secrets, registered_by }: Site): Telling {
  if (client['jwks_uri']) return 'jwks_uri'
  const isUpdatable =
    registered_by === 'relyd' &&
    client.registration_client_uri !== undefined &&
    secrets.registration_access_token !== undefined
  return isUpdatable ? 'update' : undefined
}

/**
 * What is to be done with a site's keys now.
 *
 * @param lifetime seconds after which a key is replaced; 0 for never
 */
export function nextStep(site: Site, now: Seconds, lifetime: Seconds): KeyStep | undefined {
  const { own_keys = [] } = site.secrets
  if (own_keys.length === 0) return undefined
  const telling = tellingOf(site)
  const asked_at = Math.max(0, ...own_keys.map((key) => key.asked_at ?? 0))
  const told = isOver(asked_at, now) && telling === 'update' ? 'tell' : undefined
  const ready = own_keys.filter(({ ready_at }) => ready_at !== undefined)
  if (ready.length < own_keys.length && telling === 'update') return told
  const isOld = currentKeys(own_keys).some(({ made_at }) => made_at + lifetime <= now)
  if (lifetime > 0 && isOld && telling !== undefined) return 'make'
  const published = publishedKeys(ready, now).map(({ kid }) => kid)
  const known = keysOf(site.client).map(({ kid }) => kid)
  if (!isDeepStrictEqual(published.sort(), known.sort())) {
    return telling === 'update' ? told : 'store'
  }
  return keptKeys(own_keys, now).length < own_keys.length ? 'store' : undefined
}

/** A clock that was set back must not stop it for ever. */
function isOver(asked_at: Seconds, now: Seconds): boolean {
  return asked_at + ASKED_AGAIN <= now || asked_at > now
}

/** Those that nothing replaces yet. */
function currentKeys(own_keys: readonly OwnKey[]): OwnKey[] {
  return own_keys.filter(({ retired_at }) => retired_at === undefined)
}

/** The same keys, with a new one before each that is in use. */
export async function withSuccessors(site: Site, now: Seconds): Promise<OwnKey[]> {
  const { own_keys = [] } = site.secrets
  const current = currentKeys(own_keys)
  const made = await makeOwnKeys(
    current.map(({ alg }) => alg as OwnKeyAlg),
    now,
  )
  if (tellingOf(site) !== 'jwks_uri') {
    return [...made.map(({ ready_at: _, ...key }) => ({ ...key, asked_at: now })), ...own_keys]
  }
  const ready_at = now + PUBLISHED_AHEAD
  return [
    ...made.map((key) => ({ ...key, ready_at })),
    ...own_keys.map((key) => ({ ...key, retired_at: key.retired_at ?? ready_at })),
  ]
}
