/** Listeners of a site's events: subscribed to in the background, and again over each new connection. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Connection, Watcher } from './connection.js'
import { backOffMs } from './limits.js'
import type { ClientEvents } from './methods.js'
import type { Registration } from './registration.js'
import type { DaemonEvent } from './reply.js'

/** What the Client can be asked to tell. */
export type EventName = keyof ClientEvents

/** What is called for each event; what it returns is waited for only to tell of its failure. */
export type EventListener<E extends EventName> = (data: ClientEvents[E]) => unknown

type AnyListener = (data: never) => unknown

const LONGEST_BACK_OFF_MS = 30_000

/** Milliseconds that a subscription lasts whose loss is no sign of trouble. */
const STEADY_MS = 10_000

/**
 * Brings what the daemon sends in line with what is listened to. It keeps no process alive, and its
 * troubles are process warnings: nobody awaits it.
 */
export class Subscription implements Watcher {
  readonly #connection: Connection
  readonly #registration: Registration
  readonly #timeout_ms: number
  readonly #listeners = new Map<string, Set<AnyListener>>()
  /** Events that the daemon sends over the present connection, and for which site. */
  #held: string[] = []
  #site: string | undefined
  /** Counts connections lost: what was agreed over one is void. */
  #losses = 0
  /** Attempts that failed, or did not last, one after another. */
  #setbacks = 0
  #heldSince = 0
  #working = false
  /** Until the site is used again after it was removed. */
  #paused = false
  #waiting = new AbortController()
  #warned: string | undefined

  constructor(connection: Connection, registration: Registration, timeout_ms: number) {
    this.#connection = connection
    this.#registration = registration
    this.#timeout_ms = timeout_ms
    connection.watch(this)
  }

  add(event: string, listener: AnyListener): void {
    const listeners = this.#listeners.get(event) ?? new Set()
    this.#listeners.set(event, listeners.add(listener))
    this.#setbacks = 0
    this.#adjust()
  }

  remove(event: string, listener: AnyListener): void {
    const listeners = this.#listeners.get(event)
    listeners?.delete(listener)
    if (listeners?.size === 0) this.#listeners.delete(event)
    this.#setbacks = 0
    this.#adjust()
  }

  /** The site was removed: listening does not register another one. */
  pause(): void {
    this.#paused = true
    this.#held = []
  }

  /** The site is in use. */
  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#adjust()
  }

  event({ event, data }: DaemonEvent): void {
    if (data['oxd_id'] !== this.#site) return
    for (const listener of [...(this.#listeners.get(event) ?? [])]) {
      void tell(event, listener, data as never)
    }
  }

  opened(): void {
    this.#waiting.abort()
  }

  lost(): void {
    this.#losses += 1
    this.#held = []
    const lasted = performance.now() - this.#heldSince > STEADY_MS
    this.#setbacks = lasted ? 0 : this.#setbacks + 1
    this.#adjust()
  }

  get #wanted(): string[] {
    return this.#paused ? [] : [...this.#listeners.keys()].sort()
  }

  get #isDue(): boolean {
    return !this.#connection.closing.aborted && this.#wanted.join() !== this.#held.join()
  }

  #adjust(): void {
    if (!this.#working && this.#isDue) void this.#work()
  }

  async #work(): Promise<void> {
    this.#working = true
    while (this.#isDue) {
      if (this.#setbacks > 0) await this.#backOff()
      if (this.#isDue) await this.#attempt(this.#wanted)
    }
    this.#working = false
  }

  async #attempt(wanted: string[]): Promise<void> {
    const losses = this.#losses
    try {
      await this.#subscribe(wanted)
      if (losses === this.#losses) this.#held = wanted
      this.#heldSince = performance.now()
      this.#warned = undefined
    } catch (error) {
      this.#setbacks += 1
      // What nobody listens to does no harm if it comes all the same.
      if (wanted.length === 0) this.#held = []
      else this.#warn(error as Error)
    }
  }

  async #subscribe(events: string[]): Promise<void> {
    const limits = { timeout_ms: this.#timeout_ms, background: true }
    // An event may overtake the reply, so the site is known before; it is not registered to end this.
    if (events.length > 0) this.#site = await this.#registration.ensure(limits)
    await this.#connection.call('subscribe', { oxd_id: this.#site, events }, 'safe', limits)
  }

  async #backOff(): Promise<void> {
    this.#waiting = new AbortController()
    const signal = AbortSignal.any([this.#connection.closing, this.#waiting.signal])
    const delay = backOffMs(this.#setbacks - 1, LONGEST_BACK_OFF_MS)
    await sleep(delay, undefined, { ref: false, signal }).catch(() => {})
  }

  /** Once for each trouble, until there is none. */
  #warn({ message }: Error): void {
    if (this.#warned === message || this.#connection.closing.aborted) return
    this.#warned = message
    warn(`relyd sends no events to this website, which is tried again: ${message}`)
  }
}

/** A listener's failure costs neither the connection nor other listeners. */
async function tell(event: string, listener: AnyListener, data: never): Promise<void> {
  try {
    await listener(data)
  } catch (error) {
    warn(`a listener of "${event}" failed: ${error instanceof Error ? error.stack : error}`)
  }
}

function warn(message: string): void {
  process.emitWarning(message, { type: 'RelydEventWarning' })
}
