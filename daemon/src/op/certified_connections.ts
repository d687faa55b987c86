/** Connections that show a client certificate (RFC 8705): for each certificate its own, while it is used. */
import { LRUCache } from 'lru-cache'
import type { Dispatcher } from 'undici'
import { sha256Base64url } from '../digest.js'
import { type ClientCertificate, type ConnectionOptions, openDispatcher } from './connections.js'

/** Certificates with connections at one time: the one that was used longest ago makes room. */
const CERTIFICATES = 500

/** Milliseconds after which connections that nobody uses are closed: of a site that was removed, too. */
const UNUSED_MS = 60_000

export class CertifiedConnections {
  readonly #options: ConnectionOptions
  readonly #open: LRUCache<string, Dispatcher>

  /** @param perf tells the time; a test's own */
  constructor(options: ConnectionOptions, perf: { now(): number } = performance) {
    this.#options = options
    this.#open = new LRUCache<string, Dispatcher>({
      max: CERTIFICATES,
      ttl: UNUSED_MS,
      perf,
      // With a remembered time, what becomes unused in that millisecond would never be purged.
      ttlResolution: 0,
      ttlAutopurge: true,
      updateAgeOnGet: true,
      // What is under way is finished first.
      dispose: (dispatcher) => void dispatcher.close().catch(() => {}),
    })
  }

  of(certificate: ClientCertificate): Dispatcher {
    // Of both: who has a certificate but not its key must not find the connections of who has.
    const name = sha256Base64url(JSON.stringify([certificate.cert, certificate.key]))
    let dispatcher = this.#open.get(name)
    if (!dispatcher) {
      dispatcher = openDispatcher({ ...this.#options, certificate })
      this.#open.set(name, dispatcher)
    }
    return dispatcher
  }

  /** How many certificates have connections now. */
  get size(): number {
    return this.#open.size
  }

  async destroy(): Promise<void> {
    const dispatchers = [...this.#open.values()]
    await Promise.all(dispatchers.map((dispatcher) => dispatcher.destroy()))
    this.#open.clear()
  }
}
