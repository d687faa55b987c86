/** Exchanges with OPs about registrations: one at a time for each site, as each may replace the token of the next. */
import { CommandError } from './errors.js'

/** Commands that may wait for a site's turn. Each may take several calls to an OP that hangs. */
const WAITING = 8

interface Waiting {
  isFirst: boolean
  go(): void
  refuse(error: CommandError): void
}

export class Exchanges {
  /** Who waits, by the sites about which something is under way. */
  readonly #sites = new Map<string, Waiting[]>()
  #isStopping = false
  #onIdle: (() => void) | undefined

  /**
   * @param isFirst of the daemon's own work, which goes before what commands have queued
   * @throws CommandError `quota_exceeded` where too many wait, `shutting_down`, and what `work` throws
   */
  async inTurn<T>(oxd_id: string, work: () => Promise<T>, isFirst = false): Promise<T> {
    await this.#enter(oxd_id, isFirst)
    try {
      return await work()
    } finally {
      this.#leave(oxd_id)
    }
  }

  /** Refuses what waits and what comes, and waits for answers under way: one may be the only copy of a secret. */
  async stop(): Promise<void> {
    this.#isStopping = true
    for (const waiting of this.#sites.values()) {
      for (const one of waiting.splice(0)) one.refuse(stopping())
    }
    if (this.#sites.size === 0) return
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve
    })
  }

  async #enter(oxd_id: string, isFirst: boolean): Promise<void> {
    if (this.#isStopping) throw stopping()
    const waiting = this.#sites.get(oxd_id)
    if (!waiting) {
      this.#sites.set(oxd_id, [])
      return
    }
    const commands = waiting.filter((one) => !one.isFirst)
    if (!isFirst && commands.length >= WAITING) throw tooMany()
    await new Promise<void>((go, refuse) => {
      waiting.splice(isFirst ? waiting.length - commands.length : waiting.length, 0, {
        isFirst,
        go,
        refuse,
      })
    })
  }

  #leave(oxd_id: string): void {
    const next = this.#sites.get(oxd_id)?.shift()
    if (next) {
      next.go()
      return
    }
    this.#sites.delete(oxd_id)
    if (this.#sites.size === 0) this.#onIdle?.()
  }
}

function tooMany(): CommandError {
  return new CommandError(
    'quota_exceeded',
    `${WAITING} commands wait already until the OP has answered about this registration; try again when they are done`,
    { details: { quota: 'changes of the registration that wait', limit: WAITING } },
  )
}

function stopping(): CommandError {
  return new CommandError('shutting_down', 'the daemon is stopping; nothing was asked of the OP')
}
