/**
 * The OPs' metadata and keys, cached in memory and in the store, so that logins go on while an OP
 * is slow, restarting or down, and the daemon starts whatever the OPs do.
 */
import type { JSONWebKeySet } from 'jose'
import { LRUCache } from 'lru-cache'
import type { ServerMetadata } from 'openid-client'
import type { Clock } from '../clock.js'
import { bounded, CommandError } from '../errors.js'
import type { Log } from '../log.js'
import { forEverybody, onNobodysBehalf } from '../on_behalf.js'
import type { Store } from '../store/store.js'
import { Throttle } from '../throttle.js'
import { fetchKeys, fetchMetadata, isRefusal } from './discovery.js'
import type { OpHttp } from './http.js'
import { checkMetadata, plainMetadata } from './metadata.js'
import { type OpOptionsByHost, optionsOf } from './op_options.js'
import { Provider } from './provider.js'

const CACHED_PROVIDERS = 1000

/** All of their documents together, as JSON. */
const CACHED_CHARACTERS = 16 * 1024 * 1024

/** OPs that somebody looked up, at which no site is. */
const VISITED_PROVIDERS = 100

/** Seconds between looks for documents that have become old. */
const REFRESH_TICK = 15

/** An unknown `kid` refetches at once up to this often, then once per interval (seconds). */
const KEY_REFETCH_BURST = 3
const KEY_REFETCH_INTERVAL = 10

export interface ProvidersOptions {
  /** Whose they are: no realm learns from another's copies which OPs it uses. */
  realm: string
  /** What relyd.cfg says of OPs; nothing, if absent. */
  ops?: OpOptionsByHost | undefined
  http: OpHttp
  store: Store
  clock: Clock
  log: Log
  /** Seconds after which documents are fetched anew in the background. */
  refresh_after: number
}

export class Providers {
  readonly #options: ProvidersOptions
  /** What is special about OPs, by op_host. */
  readonly ops: OpOptionsByHost
  #closed = false
  readonly #cache = new LRUCache<string, Provider>({
    max: CACHED_PROVIDERS,
    maxSize: CACHED_CHARACTERS,
    sizeCalculation: sizeOf,
  })
  /** Apart, so that nobody's curiosity costs a site its OP's documents. */
  readonly #visited = new LRUCache<string, Provider>({
    max: VISITED_PROVIDERS,
    maxSize: CACHED_CHARACTERS / 4,
    sizeCalculation: sizeOf,
  })
  readonly #fetching = new Map<string, Promise<Provider>>()
  readonly #refetching = new Map<string, Promise<JSONWebKeySet>>()
  readonly #key_refetches = new LRUCache<string, Throttle>({ max: CACHED_PROVIDERS })
  readonly #timer: NodeJS.Timeout

  constructor(options: ProvidersOptions) {
    this.#options = options
    this.ops = options.ops ?? new Map()
    this.#timer = setInterval(() => this.#refreshOld(), REFRESH_TICK * 1000).unref()
  }

  /**
   * The OP's documents: from memory, else from the store, else from the OP itself.
   *
   * @throws CommandError `no_connect_discovery_response` (no copy, no answer), `invalid_op_metadata`,
   * `op_host_not_allowed`
   */
  async get(op_host: string): Promise<Provider> {
    return this.#cache.get(op_host) ?? (await this.#restore(op_host)) ?? this.#fetch(op_host)
  }

  /** The OP's documents, as far as the OP need not be asked for them. */
  async known(op_host: string): Promise<Provider | undefined> {
    const kept = this.#cache.get(op_host) ?? (await this.#restore(op_host))
    if (kept) return kept
    const visited = this.#visited.get(op_host)
    return visited && !this.#isOld(visited) ? visited : undefined
  }

  /**
   * Asks an OP at which no site may ever be: its documents take no place of those of sites.
   *
   * @throws CommandError as {@link get} does
   */
  async visit(op_host: string): Promise<Provider> {
    const { http, clock } = this.#options
    const options = optionsOf(this.ops, op_host)
    const metadata = await fetchMetadata(http, op_host, options)
    const jwks = await fetchKeys(http, metadata, options).catch((error: unknown) => {
      if (isRefusal(error)) throw error
      return null
    })
    const provider = new Provider(op_host, metadata, jwks, clock(), false)
    if (!this.#closed) this.#visited.set(op_host, provider)
    return provider
  }

  /**
   * Fetches the keys anew because none of the known ones fits (a rotation between two refreshes).
   * Logins that meet one rotation together share one fetch.
   *
   * @param unfit the keys that the caller tried
   * @returns the new keys, or the known ones if that happened too often lately
   */
  async refetchKeys(
    provider: Provider,
    unfit: JSONWebKeySet | null,
  ): Promise<JSONWebKeySet | null> {
    if (provider.jwks !== unfit) return provider.jwks
    const running = this.#refetching.get(provider.op_host)
    if (running) return running
    let throttle = this.#key_refetches.get(provider.op_host)
    if (!throttle) {
      throttle = new Throttle(this.#options.clock, KEY_REFETCH_BURST, KEY_REFETCH_INTERVAL)
      this.#key_refetches.set(provider.op_host, throttle)
    }
    if (!throttle.take()) return provider.jwks
    const refetching = forEverybody(() => this.#refetchNow(provider)).finally(() =>
      this.#refetching.delete(provider.op_host),
    )
    this.#refetching.set(provider.op_host, refetching)
    return refetching
  }

  /** Those in memory. */
  cached(): Iterable<Provider> {
    return this.#cache.values()
  }

  /**
   * Keeps and refreshes nothing any more. Who began with it is served on: what it judges, by an
   * earlier policy perhaps, is for nobody else.
   */
  close(): void {
    clearInterval(this.#timer)
    this.#closed = true
    this.#cache.clear()
    this.#visited.clear()
  }

  async #refetchNow(provider: Provider): Promise<JSONWebKeySet> {
    const options = optionsOf(this.ops, provider.op_host)
    const jwks = await fetchKeys(this.#options.http, provider.metadata, options)
    provider.jwks = jwks
    await this.#save(provider)
    return jwks
  }

  async #restore(op_host: string): Promise<Provider | undefined> {
    const { realm, store, http } = this.#options
    const documents = await store.getOpDocuments(realm, op_host)
    const raced = this.#cache.get(op_host)
    if (raced || !documents) return raced
    const options = optionsOf(this.ops, op_host)
    const stored = documents.metadata as unknown as ServerMetadata
    const given = options?.static
    const metadata = given ? plainMetadata(given.metadata) : stored
    const jwks = metadata.jwks_uri === stored.jwks_uri ? documents.jwks : null
    const provider = new Provider(op_host, metadata, given?.jwks ?? jwks, documents.fetched_at)
    try {
      checkMetadata(http.policy, op_host, provider.metadata, options)
    } catch {
      // Another realm's copy, or from before a change of the policy; fetched anew, it is told why.
      return undefined
    }
    this.#cache.set(op_host, provider)
    if (this.#isOld(provider)) this.#refresh(op_host)
    return provider
  }

  /** One request at a time for each OP, however many commands wait for it. */
  #fetch(op_host: string): Promise<Provider> {
    let fetching = this.#fetching.get(op_host)
    if (!fetching) {
      const mine = forEverybody(() => this.#fetchNow(op_host)).finally(() => {
        if (this.#fetching.get(op_host) === mine) this.#fetching.delete(op_host)
      })
      this.#fetching.set(op_host, mine)
      fetching = mine
    }
    return fetching
  }

  async #fetchNow(op_host: string): Promise<Provider> {
    const { http, clock } = this.#options
    const options = optionsOf(this.ops, op_host)
    const metadata = await fetchMetadata(http, op_host, options)
    const before = this.#cache.get(op_host)
    // Keys are not needed to send a browser to the OP; a failure shows when a token is verified.
    const jwks = await fetchKeys(http, metadata, options).catch((error: unknown) => {
      if (isRefusal(error)) throw error
      return before?.jwks ?? null
    })
    const known = this.#cache.get(op_host)
    const provider = known ?? new Provider(op_host, metadata, jwks, clock())
    provider.metadata = metadata
    provider.jwks = jwks
    provider.fetched_at = clock()
    this.#cache.set(op_host, provider)
    await this.#save(provider)
    return provider
  }

  async #save({ op_host, metadata, jwks, fetched_at, kept }: Provider): Promise<void> {
    if (this.#closed || !kept) return
    const { realm, store } = this.#options
    // Of what relyd.cfg says, too little to be of use once it says so no more.
    const { issuer, jwks_uri = '' } = metadata
    const is_given = optionsOf(this.ops, op_host)?.static !== undefined
    await store.putOpDocuments({
      realm,
      op_host,
      metadata: is_given ? { issuer, jwks_uri } : { ...metadata },
      jwks: jwks && { keys: jwks.keys.map((key) => ({ ...key })) },
      fetched_at,
    })
  }

  #isOld(provider: Provider): boolean {
    return this.#options.clock() - provider.fetched_at >= this.#options.refresh_after
  }

  #refreshOld(): void {
    for (const provider of this.#cache.values()) {
      if (this.#isOld(provider)) void this.#refreshIfUsed(provider)
    }
  }

  /** An OP whose last site is gone is asked no more, and needs no memory. */
  async #refreshIfUsed(provider: Provider): Promise<void> {
    const { realm, store } = this.#options
    const { op_host } = provider
    if (await store.hasSiteAt(realm, op_host).catch(() => true)) this.#refresh(op_host)
    else if (this.#cache.peek(op_host) === provider) this.#cache.delete(op_host)
  }

  /** In the background; the last good copy serves on whatever comes of it. */
  #refresh(op_host: string): void {
    onNobodysBehalf(() => this.#fetch(op_host)).catch((error: unknown) => {
      const why = bounded(error instanceof CommandError ? error.message : String(error))
      this.#options.log.warn(
        { op_host: bounded(op_host), why },
        'OP metadata not refreshed; the last copy serves on',
      )
    })
  }
}

/** In characters of JSON. */
function sizeOf({ metadata, jwks }: Provider): number {
  return JSON.stringify([metadata, jwks]).length
}
