/** Places for calls to OPs: a site whose OP is slow waits for its own calls, and for nobody else's. */
import type { Exceeded } from '../quota.js'
import { InFlight, type Limit } from '../quota.js'

interface Waiting {
  site: string
  go(): void
}

export class OpPlaces {
  readonly #taken: InFlight
  readonly #refusal: (exceeded: Exceeded) => Error
  readonly #queues = new Map<string, Set<Waiting>>()

  /** @param refusal makes the error for who waited too long */
  constructor(limit: Limit, refusal: (exceeded: Exceeded) => Error) {
    this.#taken = new InFlight(limit)
    this.#refusal = refusal
  }

  /** Another limit, for who waits already too. */
  set limit(limit: Limit) {
    this.#taken.limit = limit
    this.#admitAll()
  }

  /**
   * Takes a place for a call on behalf of a site, and waits for one where its limit is reached.
   *
   * @param deadline ends the wait
   * @returns gives the place back
   * @throws Error as `refusal` makes it
   */
  async enter(site: string, deadline: AbortSignal): Promise<() => void> {
    const level = this.#taken.enter(site)
    if (level) await this.#wait(site, deadline, level)
    return () => {
      this.#taken.leave(site)
      this.#admit()
    }
  }

  #wait(site: string, deadline: AbortSignal, level: Exceeded['level']): Promise<void> {
    return new Promise((resolve, reject) => {
      const giveUp = () => {
        this.#forget(waiting)
        reject(this.#refusal({ quota: 'op_calls', level }))
      }
      const waiting: Waiting = {
        site,
        go() {
          deadline.removeEventListener('abort', giveUp)
          resolve()
        },
      }
      if (deadline.aborted) {
        giveUp()
        return
      }
      deadline.addEventListener('abort', giveUp, { once: true })
      const queue = this.#queues.get(site) ?? new Set()
      this.#queues.set(site, queue.add(waiting))
    })
  }

  #forget(waiting: Waiting): void {
    const queue = this.#queues.get(waiting.site)
    queue?.delete(waiting)
    if (queue?.size === 0) this.#queues.delete(waiting.site)
  }

  /** As many as there are places by now. */
  #admitAll(): void {
    while (this.#admit() > 0);
  }

  /** One of each site in turn, as far as there are places. @returns how many */
  #admit(): number {
    let admitted = 0
    for (const [site, queue] of [...this.#queues]) {
      const [first] = queue
      if (!first || this.#taken.enter(site)) continue
      this.#forget(first)
      // To the end of the line, if more of this site wait.
      if (this.#queues.delete(site)) this.#queues.set(site, queue)
      first.go()
      admitted += 1
    }
    return admitted
  }
}
