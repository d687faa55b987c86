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
import { checkMetadata, fetchKeys, fetchMetadata, isRefusal } from './discovery.js'
import type { OpHttp } from './http.js'
import { type OpOptionsByHost, optionsOf } from './op_options.js'
import { Provider } from './provider.js'

const CACHED_PROVIDERS = 1000

/** All of their documents together, as JSON. */
const CACHED_CHARACTERS = 16 * 1024 * 1024

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
    sizeCalculation: ({ metadata, jwks }) => JSON.stringify([metadata, jwks]).length,
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
  }

  async #refetchNow(provider: Provider): Promise<JSONWebKeySet> {
    const jwks = await fetchKeys(this.#options.http, provider.metadata)
    provider.jwks = jwks
    await this.#save(provider)
    return jwks
  }

  async #restore(op_host: string): Promise<Provider | undefined> {
    const { realm, store, http } = this.#options
    const documents = await store.getOpDocuments(realm, op_host)
    const raced = this.#cache.get(op_host)
    if (raced || !documents) return raced
    const provider = new Provider(
      op_host,
      documents.metadata as unknown as ServerMetadata,
      documents.jwks,
      documents.fetched_at,
    )
    try {
      checkMetadata(http, op_host, provider.metadata, optionsOf(this.ops, op_host))
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
    const metadata = await fetchMetadata(http, op_host, optionsOf(this.ops, op_host))
    const before = this.#cache.get(op_host)
    // Keys are not needed to send a browser to the OP; a failure shows when a token is verified.
    const jwks = await fetchKeys(http, metadata).catch((error: unknown) => {
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

  async #save({ op_host, metadata, jwks, fetched_at }: Provider): Promise<void> {
    if (this.#closed) return
    const { realm, store } = this.#options
    await store.putOpDocuments({
      realm,
      op_host,
      metadata: { ...metadata },
      jwks: jwks && { keys: jwks.keys.map((key) => ({ ...key })) },
      fetched_at,
    })
  }

  #isOld(provider: Provider): boolean {
    return this.#options.clock() - provider.fetched_at >= this.#options.refresh_after
  }

  #refreshOld(): void {
    for (const provider of this.#cache.values()) {
      if (this.#isOld(provider)) this.#refresh(provider.op_host)
    }
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
