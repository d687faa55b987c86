/** Names of OPs for labels: sites choose which OPs are called, and must not make metrics without end. */
import { bounded } from '../errors.js'

/** Hosts of a realm that have a label of their own, beside those that the operator named. */
const MOST = 20

/** Longest label; a host may be as long as a site likes. */
const LENGTH = 100

/** What all other hosts are called. */
const OTHER = 'other'

export class OpNames {
  #own: ReadonlySet<string> = new Set()
  readonly #answered = new Map<string, string>()

  /** @param own hosts that the operator named in relyd.cfg, which have labels whatever comes */
  constructor(own: readonly string[]) {
    this.keep(own)
  }

  /** Takes the hosts that the operator names now. */
  keep(own: readonly string[]): void {
    this.#own = new Set(own)
  }

  /** The first that answer get labels of their own: hosts that nobody has could be made up without end. */
  answered(host: string): void {
    if (this.#answered.size >= MOST || this.#answered.has(host) || this.#own.has(host)) return
    this.#answered.set(host, bounded(host, LENGTH))
  }

  /** @returns the label of a host */
  of(host: string): string {
    return this.#own.has(host) ? bounded(host, LENGTH) : (this.#answered.get(host) ?? OTHER)
  }
}
