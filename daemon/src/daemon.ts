/** The composition root: builds the daemon from its configuration, runs it and stops it. */

import { resolve } from 'node:path'
import type { AdminServices } from './admin/admin_command.js'
import { systemClock } from './clock.js'
import { type Config, type DaemonConfig, realmsOf } from './config/config.js'
import type { Realm, RealmPolicy, Services } from './context.js'
import { EventHub } from './events.js'
import { keepKeys } from './key_keeper.js'
import { flushLog, type Log } from './log.js'
import { Metrics } from './metrics/metrics.js'
import { observeOpCalls } from './metrics/op_metrics.js'
import { OpNames } from './metrics/op_names.js'
import { observeCommits, readFrom } from './metrics/wiring.js'
import { hostsOf } from './op/op_host.js'
import { OpPlaces } from './op/op_places.js'
import { createOpSide } from './op/op_side.js'
import { PassedOn } from './passed_on.js'
import { InFlight, quotaExceeded } from './quota.js'
import { Readiness } from './readiness.js'
import { Refreshes } from './refreshes.js'
import { createAdminDispatch } from './server/admin_dispatch.js'
import { createHttpServer } from './server/http_pages.js'
import { type HttpPort, openHttpPort } from './server/http_port.js'
import { createRecorder } from './server/record.js'
import { Server } from './server/server.js'
import { createSiteDispatch } from './server/site_dispatch.js'
import { SiteCache } from './sites.js'
import { openStore } from './store/open.js'
import { startSweeping } from './sweeper.js'
import { Throttle } from './throttle.js'
import { version } from './version.js'

export interface Daemon {
  /** Where it listens, as the listeners' addresses came to be. */
  addresses: string[]
  /** Finishes what runs, within `drain_timeout`, and closes everything. */
  stop(): Promise<void>
}

/**
 * @throws StartError, StoreError with a message for the operator
 */
export async function startDaemon(config: Config, log: Log): Promise<Daemon> {
  const { daemon: options } = config
  const clock = systemClock
  const metrics = new Metrics()
  const { store, durability, schema, encryption } = await openStore({
    ...options,
    onCommit: observeCommits(metrics),
  })
  log.info({ database: options.database, ...durability, schema, encryption }, 'store open')
  if (encryption.made) {
    log.warn(
      { key_file: options.key_file },
      'a new key was made; back it up apart from the database',
    )
  }
  const events = new EventHub()
  const services: Services = {
    store,
    sites: new SiteCache(store),
    events,
    clock,
    log,
    refreshes: new Refreshes({
      store,
      events,
      clock,
      op_timeout: options.op_timeout,
      onDone: (outcome) => metrics.count('relyd_refreshes_total', outcome).add(),
    }),
    settings: {
      default_op: options.default_op,
      login_lifetime: options.login_lifetime,
      session_lifetime: options.session_lifetime,
    },
  }
  const realms = new Map(
    [...config.realms].map(([name, policy]) => [
      name,
      openRealm(policy, services, options, metrics),
    ]),
  )
  const record_path = process.env['RELYD_RECORD']
  const record = record_path ? createRecorder(record_path) : undefined
  const server = new Server(log)
  const readiness = new Readiness(() => store.proveWritable(), log)
  let port: HttpPort | undefined
  const admin: AdminServices = {
    ...services,
    realms,
    daemon: {
      config_path: resolve(config.path),
      options,
      started_at: clock(),
      schema: schema.version,
      key_id: () => store.keys.current_id,
      listeners: () => listenersOf(config, server),
    },
  }
  const sweeping = startSweeping(store, clock, log)
  const keeping = keepKeys(store, log)
  readFrom(metrics, { store, realms, server, events, sweeping, clock })

  async function stop(): Promise<void> {
    log.info('stopping')
    readiness.stopping()
    // They shall hear of it before their connections are cut.
    services.refreshes.stopWaiting()
    const cut = await server.drain(options.drain_timeout)
    if (cut > 0) log.warn({ connections: cut }, 'cut, as drain_timeout was over')
    await Promise.all([
      services.refreshes.finish(),
      ...[...realms.values()].map(({ passed_on }) => passed_on.finish()),
    ])
    await port?.close()
    sweeping.stop()
    keeping.stop()
    await Promise.all([...realms.values()].map(({ op }) => op.close()))
    await store.close()
    log.info('stopped')
    await flushLog(log)
  }

  const addresses: string[] = []
  try {
    const { metrics_address } = options
    if (metrics_address) port = await openHttpPort(metrics_address, { metrics, readiness })
    const dispatches = new Map(
      [...realms].map(([name, realm]) => [
        name,
        createSiteDispatch(services, realm, metrics, record),
      ]),
    )
    for (const listener of config.listeners) {
      addresses.push(await server.listen(listener, dispatches))
    }
    const { admin_listener } = config
    await server.listen(
      admin_listener,
      new Map([[admin_listener.realm, createAdminDispatch(admin, metrics, record)]]),
      createHttpServer({ metrics, readiness }),
    )
    readiness.serving()
  } catch (error) {
    await stop()
    throw error
  }
  log.info(
    { version, node: process.version, pid: process.pid, addresses, metrics: port?.address },
    'ready',
  )
  return { addresses, stop }
}

/** The listeners of websites. */
function listenersOf(config: Config, server: Server) {
  const realms = new Map(config.listeners.map((one) => [one.name, [...realmsOf(one)]]))
  return server.listeners.flatMap((one) => {
    const served = realms.get(one.name)
    return served ? [{ ...one, realms: served }] : []
  })
}

/** What a realm has for itself, so that no other realm can use it up. */
function openRealm(
  policy: RealmPolicy,
  { store, clock, log }: Services,
  options: DaemonConfig,
  metrics: Metrics,
): Realm {
  const { name, quotas } = policy
  const insecure_hosts = options.insecure_op_hosts ?? []
  const allowed_hosts = [
    ...policy.allowed_op_hosts,
    ...(options.default_op === undefined ? [] : hostsOf(options.default_op)),
  ]
  const op_names = new OpNames([...allowed_hosts, ...insecure_hosts])
  const op = createOpSide({
    realm: name,
    store,
    clock,
    log,
    timeout: options.op_timeout,
    insecure_hosts,
    allowed_hosts,
    proxy: options.proxy,
    places: new OpPlaces(quotas.op_calls, (exceeded) => quotaExceeded(policy, exceeded)),
    refresh_after: options.op_refresh,
    onCall: observeOpCalls(metrics, op_names, log),
  })
  const a_minute = quotas.registrations_per_minute
  return {
    ...policy,
    op,
    op_names,
    passed_on: new PassedOn(clock),
    requests: new InFlight(quotas.requests),
    registrations: new Throttle(clock, a_minute, 60 / a_minute),
  }
}
