/** The composition root: builds the daemon from its configuration, runs it and stops it. */

import { resolve } from 'node:path'
import type { AdminServices } from './admin/admin_command.js'
import { systemClock } from './clock.js'
import { type Config, realmsOf } from './config/config.js'
import type { Realm, RealmPolicy, Services } from './context.js'
import { EventHub } from './events.js'
import { keepKeys } from './key_keeper.js'
import { flushLog, type Log } from './log.js'
import { hostsOf } from './op/op_host.js'
import { OpPlaces } from './op/op_places.js'
import { createOpSide } from './op/op_side.js'
import { PassedOn } from './passed_on.js'
import { InFlight, quotaExceeded } from './quota.js'
import { Refreshes } from './refreshes.js'
import { createAdminDispatch } from './server/admin_dispatch.js'
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
  const { store, durability, schema, encryption } = await openStore(options)
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
    refreshes: new Refreshes({ store, events, clock, op_timeout: options.op_timeout }),
    settings: {
      default_op: options.default_op,
      login_lifetime: options.login_lifetime,
      session_lifetime: options.session_lifetime,
    },
  }
  const realms = new Map(
    [...config.realms].map(([name, policy]) => [name, openRealm(policy, services, config)]),
  )
  const record_path = process.env['RELYD_RECORD']
  const record = record_path ? createRecorder(record_path) : undefined
  const server = new Server(log)
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

  async function stop(): Promise<void> {
    log.info('stopping')
    // They shall hear of it before their connections are cut.
    services.refreshes.stopWaiting()
    const cut = await server.drain(options.drain_timeout)
    if (cut > 0) log.warn({ connections: cut }, 'cut, as drain_timeout was over')
    await Promise.all([
      services.refreshes.finish(),
      ...[...realms.values()].map(({ passed_on }) => passed_on.finish()),
    ])
    sweeping.stop()
    keeping.stop()
    await Promise.all([...realms.values()].map(({ op }) => op.close()))
    await store.close()
    log.info('stopped')
    await flushLog(log)
  }

  const addresses: string[] = []
  try {
    const dispatches = new Map(
      [...realms].map(([name, realm]) => [name, createSiteDispatch(services, realm, record)]),
    )
    for (const listener of config.listeners) {
      addresses.push(await server.listen(listener, dispatches))
    }
    const { admin_listener } = config
    await server.listen(
      admin_listener,
      new Map([[admin_listener.realm, createAdminDispatch(admin, record)]]),
    )
  } catch (error) {
    await stop()
    throw error
  }
  log.info({ version, node: process.version, pid: process.pid, addresses }, 'ready')
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
  { daemon: options, ops }: Config,
): Realm {
  const { name, quotas } = policy
  const op = createOpSide({
    realm: name,
    ops,
    store,
    clock,
    log,
    timeout: options.op_timeout,
    insecure_hosts: options.insecure_op_hosts ?? [],
    allowed_hosts: [
      ...policy.allowed_op_hosts,
      ...(options.default_op === undefined ? [] : hostsOf(options.default_op)),
    ],
    proxy: options.proxy,
    places: new OpPlaces(quotas.op_calls, (exceeded) => quotaExceeded(policy, exceeded)),
    refresh_after: options.op_refresh,
  })
  const a_minute = quotas.registrations_per_minute
  return {
    ...policy,
    op,
    passed_on: new PassedOn(clock),
    requests: new InFlight(quotas.requests),
    registrations: new Throttle(clock, a_minute, 60 / a_minute),
  }
}
