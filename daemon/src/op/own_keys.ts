/** A site's own keys: made by the daemon, sealed in the store, published by their public halves. */
import {
  createPrivateKey,
  type ECKeyPairKeyObjectOptions,
  generateKeyPair,
  type KeyObject,
  type KeyPairKeyObjectResult,
} from 'node:crypto'
import { promisify } from 'node:util'
import { LRUCache } from 'lru-cache'
import type { Seconds } from '../clock.js'
import type { ClientJwk, OwnKey, Site } from '../store/store.js'
import { publicMembers, type ReadKey } from './client_key.js'

const generate = promisify(generateKeyPair) as {
  (type: 'rsa', options: { modulusLength: number }): Promise<KeyPairKeyObjectResult>
  (type: 'ec', options: ECKeyPairKeyObjectOptions): Promise<KeyPairKeyObjectResult>
  (type: 'ed25519'): Promise<KeyPairKeyObjectResult>
}

/** RFC 7518 3.3, 4.3: at least. Such a key is replaced long before it needs to be longer. */
const RSA_BITS = 2048

/** Algorithms for which keys are made, the best known first (RFC 7518 3.1). */
export const ownSigningAlgs = [
  'ES256',
  'PS256',
  'RS256',
  'EdDSA',
  'Ed25519',
  'ES384',
  'ES512',
  'PS384',
  'PS512',
  'RS384',
  'RS512',
] as const

/** The same of what is encrypted to the site (RFC 7518 4.1). Not RSA1_5, which leaks what it hides. */
export const ownEncryptionAlgs = [
  'RSA-OAEP-256',
  'ECDH-ES',
  'ECDH-ES+A256KW',
  'ECDH-ES+A128KW',
  'ECDH-ES+A192KW',
  'RSA-OAEP',
  'RSA-OAEP-384',
  'RSA-OAEP-512',
] as const

export type OwnKeyAlg = (typeof ownSigningAlgs)[number] | (typeof ownEncryptionAlgs)[number]

/**
 * Seconds for which a replaced key is kept. One that signed is still published: other daemons, and
 * assertions under way, may have it yet. One that decrypts is not, but an OP may have kept its public
 * half.
 */
const KEPT = { sig: 60 * 60, enc: 7 * 24 * 60 * 60 } as const

/** Replaced keys that are kept, of one algorithm and of all together: what a site changes costs others nothing. */
const RETIRED_OF_ALG = 2
const RETIRED = 8

export function isOwnSigningAlg(alg: unknown): alg is (typeof ownSigningAlgs)[number] {
  return (ownSigningAlgs as readonly unknown[]).includes(alg)
}

export function isOwnEncryptionAlg(alg: unknown): alg is (typeof ownEncryptionAlgs)[number] {
  return (ownEncryptionAlgs as readonly unknown[]).includes(alg)
}

/**
 * Makes a key pair for each algorithm, once; one after the other, whoever asks. One key has one
 * algorithm, so that an OP that looks for a key by `use` and `alg` finds the right one.
 */
export async function makeOwnKeys(algs: Iterable<OwnKeyAlg>, now: Seconds): Promise<OwnKey[]> {
  return Promise.all([...new Set(algs)].map((alg) => makeOwnKey(alg, now)))
}

/** The last that was begun. An RSA key takes a thread for a while, and all that reads files or names has four. */
let making: Promise<unknown> = Promise.resolve()

async function makeOwnKey(alg: OwnKeyAlg, now: Seconds): Promise<OwnKey> {
  const pair = making.then(() => pairFor(alg))
  making = pair.catch(() => {})
  const { privateKey } = await pair
  return {
    kid: publicMembers(privateKey).thumbprint,
    use: isOwnSigningAlg(alg) ? 'sig' : 'enc',
    alg,
    private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    made_at: now,
    ready_at: now,
  }
}

function pairFor(alg: OwnKeyAlg): Promise<KeyPairKeyObjectResult> {
  switch (alg) {
    case 'EdDSA':
    case 'Ed25519':
      return generate('ed25519')
    case 'ES384':
      return generate('ec', { namedCurve: 'P-384' })
    case 'ES512':
      return generate('ec', { namedCurve: 'P-521' })
    case 'ES256':
    case 'ECDH-ES':
    case 'ECDH-ES+A128KW':
    case 'ECDH-ES+A192KW':
    case 'ECDH-ES+A256KW':
      return generate('ec', { namedCurve: 'P-256' })
    default:
      return generate('rsa', { modulusLength: RSA_BITS })
  }
}

/** Public halves by `kid`, the thumbprint: to read the private key for one takes longer than all else. */
const halves = new LRUCache<string, Pick<ReadKey['public_jwk'], 'kty' | 'members'>>({ max: 1000 })

/** The public half of a key as an OP is told it (RFC 7517 4). */
export function publicHalf(own: OwnKey): ClientJwk {
  const { kid, use, alg } = own
  const { kty, members } = halves.get(kid) ?? publicMembers(privateKeyOf(own))
  halves.set(kid, { kty, members })
  return { ...members, kty, kid, use, alg }
}

/** Those whose public halves an OP is to know. */
export function publishedKeys(own_keys: readonly OwnKey[], now: Seconds): OwnKey[] {
  return own_keys.filter(
    ({ use, retired_at = Number.POSITIVE_INFINITY }) =>
      now < retired_at + (use === 'sig' ? KEPT.sig : 0),
  )
}

/** A client with its secrets. */
type WithKeys = Pick<Site, 'client' | 'secrets'>

/**
 * A client once its OP was told of keys: the newest are used from now on, what they replace is kept for
 * a while, and then forgotten.
 *
 * @param told what the OP knows now; others, which somebody made meanwhile, still wait
 */
export function withToldKeys<C extends WithKeys>(
  site: C,
  told: readonly OwnKey[],
  now: Seconds,
): C {
  const { own_keys: stored = [] } = site.secrets
  const known = new Map(told.map((key) => [key.kid, key]))
  const all = [...told.filter(({ kid }) => !stored.some((key) => key.kid === kid)), ...stored]
  if (all.length === 0) return site
  const used = all.filter(({ kid, ready_at }) => known.has(kid) || ready_at !== undefined)
  const settled = all.map((key): OwnKey => {
    const at = used.indexOf(key)
    if (at === -1) return key
    const { asked_at: _, retired_at: before, ...rest } = key
    const isReplaced = used.slice(0, at).some(({ alg }) => alg === key.alg)
    // One that was told may be in use again.
    const was = known.has(key.kid) ? known.get(key.kid)?.retired_at : before
    const retired_at = was ?? (isReplaced ? now : undefined)
    return {
      ...rest,
      ready_at: key.ready_at ?? now,
      ...(retired_at !== undefined && { retired_at }),
    }
  })
  return withPublished(site, keptKeys(settled, now), now)
}

/** A client with these keys and their public halves, which an OP may have answered changed, or not at all. */
export function withPublished<C extends WithKeys>(site: C, own_keys: OwnKey[], now: Seconds): C {
  const { jwks: _, ...client } = site.client
  const { own_keys: __, ...secrets } = site.secrets
  const ready = own_keys.filter(({ ready_at }) => ready_at !== undefined)
  const keys = publishedKeys(ready, now).map(publicHalf)
  return {
    ...site,
    // Without any that is published too: that there are keys is seen without opening them.
    client: { ...client, ...(own_keys.length > 0 && { jwks: { keys } }) },
    secrets: { ...secrets, ...(own_keys.length > 0 && { own_keys }) },
  }
}

/** Without those that nobody needs any more, and without the oldest where there are many. */
export function keptKeys(own_keys: readonly OwnKey[], now: Seconds): OwnKey[] {
  const kept = own_keys.filter(
    ({ use, retired_at = Number.POSITIVE_INFINITY }) => now < retired_at + KEPT[use],
  )
  const retired = kept
    .filter(({ retired_at = Number.POSITIVE_INFINITY }) => retired_at <= now)
    .sort((one, other) => Number(other.retired_at) - Number(one.retired_at))
  const newest = retired
    .filter(({ alg }, at) => retired.slice(0, at).filter(sameAlg(alg)).length < RETIRED_OF_ALG)
    .slice(0, RETIRED)
  return kept.filter((key) => !retired.includes(key) || newest.includes(key))
}

function sameAlg(alg: string): (key: OwnKey) => boolean {
  return (key) => key.alg === alg
}

/** Members of a public JWK (RFC 7517 4, RFC 7518 6). What is not named here is never published. */
const PUBLIC_MEMBERS = ['kty', 'use', 'alg', 'kid', 'crv', 'x', 'y', 'n', 'e', 'x5c', 'x5t#S256']

/** Those of a client as it is stored; rows of before OPs had no say in it may hold anything. */
export function keysOf({ jwks }: Site['client']): ClientJwk[] {
  const keys: unknown = jwks?.keys
  return Array.isArray(keys) ? keys.filter((key) => typeof key === 'object' && key !== null) : []
}

/**
 * The public keys of a site, its own and those that its operator gave, as its `jwks_uri` publishes
 * them.
 */
export function publicJwks({ client }: Pick<Site, 'client'>): { keys: ClientJwk[] } {
  return {
    keys: keysOf(client).map((key) => {
      const members = Object.entries(key).filter(([name]) => PUBLIC_MEMBERS.includes(name))
      return Object.fromEntries(members) as ClientJwk
    }),
  }
}

/**
 * The key that signs now: the newest that the OP has had the time to learn of.
 *
 * @returns undefined where the site has none of its own
 */
export function signingKey(
  { secrets }: Pick<Site, 'secrets'>,
  now: Seconds,
): (Pick<OwnKey, 'kid' | 'alg'> & { key: KeyObject }) | undefined {
  const newest = secrets.own_keys?.find(
    ({ use, ready_at = Number.POSITIVE_INFINITY, retired_at = Number.POSITIVE_INFINITY }) =>
      use === 'sig' && ready_at <= now && now < retired_at,
  )
  return newest && { kid: newest.kid, alg: newest.alg, key: privateKeyOf(newest) }
}

/** Keys that may decrypt what an OP has encrypted to the site; some replaced ones are among them. */
export function decryptionKeys({
  secrets,
}: Pick<Site, 'secrets'>): { kid: string; alg: string; readonly key: KeyObject }[] {
  const decrypt = (secrets.own_keys ?? []).filter(({ use }) => use === 'enc')
  return decrypt.map((own) => ({
    kid: own.kid,
    alg: own.alg,
    get key() {
      return privateKeyOf(own)
    },
  }))
}

// To read a key takes longer than to use it; it is kept as long as its site is.
const read = new WeakMap<OwnKey, KeyObject>()

function privateKeyOf(own: OwnKey): KeyObject {
  const known = read.get(own)
  if (known) return known
  const key = createPrivateKey(own.private_key)
  read.set(own, key)
  return key
}
