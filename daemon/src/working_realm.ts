/** A realm at work: opened at the start, and changed when its policy is. */
import { isDeepStrictEqual } from 'node:util'
import { LRUCache } from 'lru-cache'
import type { Realm, RealmPolicy, Services } from './context.js'
import { observeOpCalls } from './metrics/op_metrics.js'
import { OpNames } from './metrics/op_names.js'
import { OpPlaces } from './op/op_places.js'
import { createOpSide, type OpLimits } from './op/op_side.js'
import { limitsOf, type OpConfig } from './op_limits.js'
import { PassedOn } from './passed_on.js'
import { InFlight, quotaExceeded } from './quota.js'
import { Throttle } from './throttle.js'

/** Tokens of setup clients of which it is remembered whose they are. */
const REMEMBERED_TOKENS = 1000

/** What a realm has for itself, so that no other realm can use it up. */
export class WorkingRealm {
  readonly #places: OpPlaces
  #limits: OpLimits
  #realm: Realm

  constructor(
    policy: RealmPolicy,
    { store, clock, log, metrics }: Pick<Services, 'store' | 'clock' | 'log' | 'metrics'>,
    config: OpConfig,
  ) {
    const { name, quotas } = policy
    this.#places = new OpPlaces(quotas.op_calls, (exceeded) => quotaExceeded(this.#realm, exceeded))
    this.#limits = limitsOf(policy, config)
    const op_names = new OpNames(namedHosts(this.#limits))
    this.#realm = {
      ...policy,
      op: createOpSide({
        ...this.#limits,
        realm: name,
        store,
        clock,
        log,
        places: this.#places,
        onCall: observeOpCalls(metrics, op_names, log),
      }),
      op_names,
      passed_on: new PassedOn(clock),
      client_tokens: new LRUCache({ max: REMEMBERED_TOKENS }),
      requests: new InFlight(quotas.requests),
      registrations: new Throttle(clock, ...rateOf(quotas.registrations_per_minute)),
      lookups: new Throttle(clock, ...rateOf(quotas.lookups_per_minute)),
    }
  }

  /** As it is now; a change makes another of it, and leaves this one to the commands that have it. */
  get inForce(): Realm {
    return this.#realm
  }

  /** Takes another policy. What is in flight stays, and counts against the new limits. */
  change(policy: RealmPolicy, config: OpConfig): void {
    const { quotas } = policy
    const { op, op_names, requests } = this.#realm
    requests.limit = quotas.requests
    for (const [throttle, quota] of [
      ['registrations', 'registrations_per_minute'],
      ['lookups', 'lookups_per_minute'],
    ] as const) {
      if (quotas[quota] === this.#realm.quotas[quota]) continue
      this.#realm[throttle].change(...rateOf(quotas[quota]))
    }
    this.#places.limit = quotas.op_calls
    const limits = limitsOf(policy, config)
    // Connections and documents are given up only where they must be.
    const isSame = isDeepStrictEqual(limits, this.#limits)
    op_names.keep(namedHosts(limits))
    this.#limits = limits
    this.#realm = { ...this.#realm, ...policy, op: isSame ? op : op.changed(limits) }
  }
}

/** Hosts of OPs that the operator has named. */
function namedHosts({ allowed_hosts, insecure_hosts }: OpLimits): string[] {
  return [...allowed_hosts, ...insecure_hosts]
}

function rateOf(a_minute: number): [burst: number, interval: number] {
  return [a_minute, 60 / a_minute]
}
