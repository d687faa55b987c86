/** Knows whose clients write each request once, so that their replies wait for no second copy of it. */

/** First requests of connections without a second copy after which a site's client is known to write them once. */
const SURE = 3

/** Sites that are remembered. */
const MOST = 10_000

export class SecondCopies {
  /** First requests in a row that came once, by site. */
  readonly #once = new Map<string, number>()

  /** @param site whose quotas the request uses; none, and it may be anyone's */
  mayFollow(site: string): boolean {
    return (this.#once.get(site) ?? 0) < SURE
  }

  /** @param came whether one did, of a connection's first request */
  note(site: string, came: boolean): void {
    if (site === '') return
    const once = came ? 0 : Math.min((this.#once.get(site) ?? 0) + 1, SURE)
    this.#once.delete(site)
    this.#once.set(site, once)
    const [oldest] = this.#once.keys()
    if (this.#once.size > MOST && oldest !== undefined) this.#once.delete(oldest)
  }
}
