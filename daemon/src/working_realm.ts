/** A realm at work: opened at the start, and changed when its policy is. */
import { isDeepStrictEqual } from 'node:util'
import type { Config } from './config/config.js'
import type { Realm, RealmPolicy, Services } from './context.js'
import { hostsOf } from './op/op_host.js'
import { OpPlaces } from './op/op_places.js'
import { createOpSide, type OpLimits } from './op/op_side.js'
import { PassedOn } from './passed_on.js'
import { InFlight, quotaExceeded } from './quota.js'
import { Throttle } from './throttle.js'

/** What a realm's dealings with OPs depend on. */
type OpConfig = Pick<Config, 'daemon' | 'ops'>

/** What a realm has for itself, so that no other realm can use it up. */
export class WorkingRealm {
  readonly #places: OpPlaces
  #limits: OpLimits
  #realm: Realm

  constructor(
    policy: RealmPolicy,
    { store, clock, log }: Pick<Services, 'store' | 'clock' | 'log'>,
    config: OpConfig,
  ) {
    const { name, quotas } = policy
    this.#places = new OpPlaces(quotas.op_calls, (exceeded) => quotaExceeded(this.#realm, exceeded))
    this.#limits = limitsOf(policy, config)
    this.#realm = {
      ...policy,
      op: createOpSide({ ...this.#limits, realm: name, store, clock, log, places: this.#places }),
      passed_on: new PassedOn(clock),
      requests: new InFlight(quotas.requests),
      registrations: new Throttle(clock, ...rateOf(policy)),
    }
  }

  /** As it is now; a change makes another of it, and leaves this one to the commands that have it. */
  get inForce(): Realm {
    return this.#realm
  }

  /** Takes another policy. What is in flight stays, and counts against the new limits. */
  change(policy: RealmPolicy, config: OpConfig): void {
    const { quotas } = policy
    const { op, requests, registrations } = this.#realm
    requests.limit = quotas.requests
    if (!isDeepStrictEqual(rateOf(policy), rateOf(this.#realm))) {
      registrations.change(...rateOf(policy))
    }
    this.#places.limit = quotas.op_calls
    const limits = limitsOf(policy, config)
    // Connections and documents are given up only where they must be.
    if (!isDeepStrictEqual(limits, this.#limits)) op.change(limits)
    this.#limits = limits
    this.#realm = { ...this.#realm, ...policy }
  }
}

function limitsOf({ allowed_op_hosts }: RealmPolicy, { daemon: options, ops }: OpConfig): OpLimits {
  const { default_op } = options
  return {
    timeout: options.op_timeout,
    insecure_hosts: options.insecure_op_hosts ?? [],
    allowed_hosts: [...allowed_op_hosts, ...(default_op === undefined ? [] : hostsOf(default_op))],
    proxy: options.proxy,
    refresh_after: options.op_refresh,
    ops,
  }
}

function rateOf({ quotas }: RealmPolicy): [burst: number, interval: number] {
  const a_minute = quotas.registrations_per_minute
  return [a_minute, 60 / a_minute]
}
