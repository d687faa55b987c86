/** Names of OPs for labels: sites choose which OPs are called, and must not make metrics without end. */
import { bounded } from '../errors.js'

/** Hosts of a realm that have a label of their own, beside those that the operator named. */
const MOST = 20

/** Longest label; a host may be as long as a site likes. */
const LENGTH = 100

/** What all other hosts are called. */
const OTHER = 'other'

export class OpNames {
  readonly #names = new Map<string, string>()
  #most = 0

  /** @param own hosts that the operator named in relyd.cfg, which have labels whatever comes */
  constructor(own: readonly string[]) {
    this.own(own)
    this.#most = this.#names.size + MOST
  }

  /** The operator names others too. */
  own(hosts: readonly string[]): void {
    for (const host of hosts) {
      if (this.#names.has(host)) continue
      this.#names.set(host, bounded(host, LENGTH))
      this.#most += 1
    }
  }

  /** The first that answer get labels of their own: hosts that nobody has could be made up without end. */
  answered(host: string): void {
    if (this.#names.size >= this.#most || this.#names.has(host)) return
    this.#names.set(host, bounded(host, LENGTH))
  }

  /** @returns the label of a host */
  of(host: string): string {
    return this.#names.get(host) ?? OTHER
  }
}
