/** Where the metrics come from that are counted, or known, in other parts of the daemon. */
import type { Clock } from '../clock.js'
import type { EventHub } from '../events.js'
import type { InForce } from '../in_force.js'
import type { Server } from '../server/server.js'
import type { OnCommit } from '../store/group_commit.js'
import type { SqliteStore } from '../store/sqlite.js'
import type { RealmUsage } from '../store/store.js'
import type { Sweeping } from '../sweeper.js'
import { version } from '../version.js'
import type { Metrics } from './metrics.js'

type UsageMetric = 'relyd_sites' | 'relyd_pending_logins' | 'relyd_sessions' | 'relyd_store_bytes'

/** What is read. */
export interface Parts {
  store: SqliteStore
  in_force: InForce
  server: Server
  events: EventHub
  sweeping: Sweeping
  clock: Clock
}

/** @returns what to tell of every commit */
export function observeCommits(metrics: Metrics): OnCommit {
  const good = metrics.count('relyd_store_commits_total', 'ok')
  const failed = metrics.count('relyd_store_commits_total', 'failed')
  const writes = metrics.count('relyd_store_writes_total')
  const times = metrics.times('relyd_store_commit_duration_seconds')
  return (count, ms, committed) => {
    ;(committed ? good : failed).add()
    if (committed) writes.add(count)
    times.observe(ms / 1000)
  }
}

/** Has the rest read whenever somebody asks for the metrics. */
export function readFrom(metrics: Metrics, parts: Parts): void {
  const { store, in_force, server, events, sweeping, clock } = parts
  metrics.read('relyd_build_info', () => [[[version, process.version], 1]])

  metrics.read('relyd_requests_in_flight', () =>
    [...in_force.realms].map(([realm, { requests }]) => [[realm], requests.total]),
  )
  metrics.read('relyd_frames_waiting', () => [[[], server.waiting]])
  metrics.read('relyd_connections', () =>
    server.listeners.map(({ name, connections }) => [[name], connections]),
  )
  metrics.read('relyd_connections_total', () =>
    server.accepted.map(({ name, accepted }) => [[name], accepted]),
  )
  metrics.read('relyd_subscribers', () => [[[], events.subscribers]])
  metrics.read('relyd_events_total', () =>
    Object.entries(events.told).map(([event, count]) => [[event], count]),
  )

  metrics.read('relyd_op_documents_age_seconds', () => documentAges(parts))

  metrics.read('relyd_store_writes_waiting', () => [[[], store.waiting]])
  const usage = (name: UsageMetric, member: Exclude<keyof RealmUsage, 'realm'>) =>
    metrics.read(name, async () => {
      const used = new Map((await store.usageOfRealms()).map((one) => [one.realm, one[member]]))
      const names = new Set([...in_force.realms.keys(), ...used.keys()])
      return [...names].map((realm) => [[realm], used.get(realm) ?? 0])
    })
  usage('relyd_sites', 'sites')
  usage('relyd_pending_logins', 'logins')
  usage('relyd_sessions', 'sessions')
  usage('relyd_store_bytes', 'bytes')
  metrics.read('relyd_swept_rows_total', () => [[[], sweeping.rows]])
  metrics.read('relyd_sweep_failures_total', () => [[[], sweeping.failures]])

  metrics.read('relyd_keys', () => [[[], store.keys.ids.length]])
  metrics.read('relyd_key_age_seconds', () => {
    const since = store.keys.currentSince()
    return since === undefined ? [] : [[[], clock() - since]]
  })
}

/** Of those that share a label, the oldest. */
function documentAges({ in_force, clock }: Parts): [[string], number][] {
  const ages = new Map<string, number>()
  for (const { op, op_names } of in_force.realms.values()) {
    for (const { op_host, fetched_at } of op.providers.cached()) {
      const label = op_names.of(new URL(op_host).host)
      ages.set(label, Math.max(ages.get(label) ?? 0, clock() - fetched_at))
    }
  }
  return [...ages].map(([label, age]) => [[label], age])
}
