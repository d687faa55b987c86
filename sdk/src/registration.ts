/** Sees that a site is registered once, whoever and however many ask. */
import { setTimeout as sleep } from 'node:timers/promises'
import { warnOnce } from './config_warning.js'
import type { Connection } from './connection.js'
import { CommandError, ConfigError, ProtocolError, TransportError } from './errors.js'
import {
  type EnsuredState,
  ensureIdempotencyKey,
  forgetRegistration,
  isIdStored,
  storeId,
} from './idempotency_key.js'
import { backOffMs, type Limits, watchLimits } from './limits.js'
import type { SiteConfig } from './site_config.js'

/** A site's registration, as this process knows it. */
export class Registration {
  readonly #config: SiteConfig
  readonly #connection: Connection
  readonly #timeout_ms: number
  #id: string | undefined
  #running: Promise<string> | undefined

  /** @param timeout_ms least time a registration gets, even if the call that began it has less */
  constructor(config: SiteConfig, connection: Connection, timeout_ms: number) {
    this.#config = config
    this.#connection = connection
    this.#timeout_ms = timeout_ms
    this.#id = config.id
  }

  /** The site's `oxd_id`, if it is known to be registered. */
  get id(): string | undefined {
    return this.#id
  }

  /** Whether {@link ensure} has nothing to register that is not under way. */
  get known(): boolean {
    if (this.#id !== undefined || this.#running) return true
    return this.#config.given === undefined && isIdStored(this.#config.path)
  }

  /**
   * Registers the site unless it is registered. Callers share one attempt; one that gives up does
   * not end it for the others.
   *
   * @returns the site's `oxd_id`
   */
  ensure(options: Limits & { timeout_ms: number }): Promise<string> {
    if (this.#id !== undefined) return Promise.resolve(this.#id)
    this.#running ??= this.#register(Math.max(this.#timeout_ms, options.timeout_ms)).finally(() => {
      this.#running = undefined
    })
    return within(this.#running, options)
  }

  /**
   * Takes a removed site's id and key out of memory and cfg: the next use registers anew. What the
   * environment gave is not the cfg's to forget.
   */
  forget(): void {
    const { path, given } = this.#config
    this.#id = undefined
    if (given?.id !== undefined) {
      warnOnce(`${path}: the site was removed; take its id out of ${given.variable}`)
    } else if (given === undefined && !forgetRegistration(path)) {
      warnOnce(
        `${path}: the site was removed, but this user cannot write the file; ` +
          'take the values of id and idempotency_key out of it',
      )
    }
  }

  async #register(timeout_ms: number): Promise<string> {
    const { path, registration } = this.#config
    const state = this.#state()
    if ('id' in state) {
      this.#id = state.id
      return state.id
    }
    const { idempotency_key, kept_in } = state
    const result = await this.#send({ ...registration, idempotency_key }, timeout_ms)
    const oxd_id = (result as { oxd_id?: unknown } | null)?.oxd_id
    if (typeof oxd_id !== 'string' || oxd_id === '') {
      throw new ProtocolError('the reply to register_site has no oxd_id')
    }
    this.#id = oxd_id
    if (kept_in !== undefined) tellOfKeptKey(path, kept_in)
    else if (this.#config.given === undefined) this.#writeBack(oxd_id, idempotency_key)
    return oxd_id
  }

  #state(): EnsuredState {
    const { path, given } = this.#config
    if (given?.id !== undefined) {
      const message = "names a site that was removed; take it out of the website's environment"
      throw new ConfigError(path, given.variable, message)
    }
    const { idempotency_key } = given ?? {}
    return idempotency_key === undefined ? ensureIdempotencyKey(path) : { idempotency_key }
  }

  async #send(params: object, timeout_ms: number): Promise<unknown> {
    const end = performance.now() + timeout_ms
    for (let attempt = 0; ; attempt += 1) {
      try {
        // Its key makes this command safe to send again.
        return await this.#connection.call('register_site', params, 'safe', {
          timeout_ms: Math.max(1, end - performance.now()),
          // Who waits for it keeps the process alive.
          background: true,
        })
      } catch (error) {
        const delay = backOffMs(attempt)
        const busy = error instanceof CommandError && error.code === 'registration_in_progress'
        if (!busy || performance.now() + delay >= end) throw error
        // A closed connection answers for itself in the next round.
        const signal = this.#connection.closing
        await sleep(delay, undefined, { ref: false, signal }).catch(() => {})
      }
    }
  }

  /** With the key in the cfg a lost id is no harm: the next process gets the same one. */
  #writeBack(id: string, key: string): void {
    const { path } = this.#config
    try {
      if (storeId(path, id, key)) return
      warnOnce(
        `${path}: this user may not write the file, so the site's id is kept in memory only. Nothing ` +
          'is lost: every process of the site asks relyd for the same id, by the idempotency_key. To ' +
          'keep the id, let this user write the file',
      )
    } catch (error) {
      warnOnce(`${path}: the site's id could not be written: ${(error as Error).message}`)
    }
  }
}

function tellOfKeptKey(path: string, kept_in: string): void {
  warnOnce(
    `${path}: this user may not write the file, so the site's idempotency_key is kept in ${kept_in}, ` +
      'and its id in memory only. Without that file the site would be registered again. To keep both ' +
      `in the cfg, let this user write it, or move the key to its [oxd] as idempotency_key`,
  )
}

function within(work: Promise<string>, options: Limits & { timeout_ms: number }) {
  return new Promise<string>((resolve, reject) => {
    const unwatch = watchLimits(options, (code, cause) => {
      const what = code === 'ERR_TIMEOUT' ? 'took too long' : 'was awaited by a call now aborted'
      const message = `the site's registration ${what}; the call itself was not executed`
      reject(new TransportError(code, message, 'not_executed', cause))
    })
    work.finally(unwatch).then(resolve, reject)
  })
}
