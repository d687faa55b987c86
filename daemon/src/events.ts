/** Events: what the daemon tells sites without being asked, and who subscribed to what. */
import { type Fields, oxd_id, required, session_ref, string, type Values } from './command.js'
import { refOf } from './store/expiring_id.js'
import type { StoredSession } from './store/store.js'

/** An event whole, as a command's file declares a command. */
export interface EventSpec {
  doc: string
  spec: readonly string[]
  data: Fields & { oxd_id: typeof oxd_id }
}

export const events = {
  logout: {
    doc: 'A session of the site ended in relyd. A website that keeps something open for it, such as a WebSocket, knows it by its `session_ref`.',
    spec: ['OIDC RP-Initiated Logout 2'],
    data: {
      oxd_id,
      issuer: required(string({ doc: 'The OP.', spec: 'OIDC Core 2' })),
      sub: required(string({ doc: 'The End-User at that OP.', spec: 'OIDC Core 2' })),
      session_ref,
      sid: string({
        doc: "The OP's session, if the ID Token of the login named one.",
        spec: 'OIDC Front-Channel Logout 3',
      }),
    },
  },
} as const satisfies Record<string, EventSpec>

export type EventName = keyof typeof events

export const eventNames = Object.keys(events) as EventName[]

/** An event on its way. */
export type DaemonEvent = {
  [E in EventName]: { event: E; data: Values<(typeof events)[E]['data']> }
}[EventName]

/** A connection that may get events. */
export interface Subscriber {
  /** Whether it was closed; then it is forgotten, or was. */
  readonly gone: boolean
  /** Takes an event for its peer; a peer that does not read loses the connection, not an event. */
  deliver(event: DaemonEvent): void
}

/** Sites that one connection may subscribe for: its own, and those of a process that serves several. */
export const MOST_SITES = 100

/**
 * Hands events to the connections of this daemon that subscribed. Nothing is kept for who comes
 * later, and daemons on one store do not tell one another: whoever must know asks the store.
 */
export class EventHub {
  readonly #bySite = new Map<string, Map<Subscriber, readonly EventName[]>>()
  readonly #sitesOf = new Map<Subscriber, Set<string>>()
  /** How many were delivered, of each. */
  readonly told: Record<EventName, number> = { logout: 0 }

  /**
   * Sets what a subscriber gets of a site, instead of what it got; nothing, if `names` is empty.
   * Nobody gets anything who left while his command was under way.
   *
   * @returns false if it has {@link MOST_SITES} others
   */
  subscribe(subscriber: Subscriber, site: string, names: readonly EventName[]): boolean {
    if (names.length === 0 || subscriber.gone) {
      this.#remove(subscriber, site)
      return true
    }
    const sites = this.#sitesOf.get(subscriber) ?? new Set()
    if (!sites.has(site) && sites.size >= MOST_SITES) return false
    const subscribers = this.#bySite.get(site) ?? new Map()
    this.#sitesOf.set(subscriber, sites.add(site))
    this.#bySite.set(site, subscribers.set(subscriber, names))
    return true
  }

  /** Whether it waits for an event of any site. */
  has(subscriber: Subscriber): boolean {
    return this.#sitesOf.has(subscriber)
  }

  /** How many wait for events. */
  get subscribers(): number {
    return this.#sitesOf.size
  }

  /** Whether nothing is kept of anybody. */
  get isEmpty(): boolean {
    return this.#bySite.size === 0 && this.#sitesOf.size === 0
  }

  /** The connection is gone. */
  forget(subscriber: Subscriber): void {
    for (const site of this.#sitesOf.get(subscriber) ?? []) this.#remove(subscriber, site)
  }

  /** The site is gone. */
  forgetSite(site: string): void {
    for (const subscriber of this.#bySite.get(site)?.keys() ?? []) this.#remove(subscriber, site)
  }

  /** Tells the site's subscribers that the session ended; once the store no longer has it. */
  sessionEnded({ session_key, oxd_id, issuer, sub, sid }: EndedSession): void {
    this.#publish({
      event: 'logout',
      data: { oxd_id, session_ref: refOf(session_key), issuer, sub, ...(sid !== null && { sid }) },
    })
  }

  #publish(event: DaemonEvent): void {
    for (const [subscriber, names] of this.#bySite.get(event.data.oxd_id) ?? []) {
      if (!names.includes(event.event)) continue
      subscriber.deliver(event)
      this.told[event.event] += 1
    }
  }

  #remove(subscriber: Subscriber, site: string): void {
    removeFrom(this.#bySite, site, subscriber)
    removeFrom(this.#sitesOf, subscriber, site)
  }
}

type EndedSession = Pick<StoredSession, 'session_key' | 'oxd_id' | 'issuer' | 'sub' | 'sid'>

/** Leaves no empty collection behind. */
function removeFrom<K, V>(
  collections: Map<K, { delete(value: V): boolean; size: number }>,
  key: K,
  value: V,
): void {
  const collection = collections.get(key)
  collection?.delete(value)
  if (collection?.size === 0) collections.delete(key)
}
