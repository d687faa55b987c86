/** The composition root: builds the daemon from its configuration, runs it and stops it. */

import { resolve } from 'node:path'
import type { AdminServices } from './admin/admin_command.js'
import { systemClock } from './clock.js'
import { type Config, realmsOf } from './config/config.js'
import { EventHub } from './events.js'
import { Exchanges } from './exchanges.js'
import { InForce } from './in_force.js'
import { keepKeys } from './key_keeper.js'
import { KeyRotation } from './key_rotation.js'
import { flushLog, type Log } from './log.js'
import { Metrics } from './metrics/metrics.js'
import { observeCommits, readFrom } from './metrics/wiring.js'
import { Readiness } from './readiness.js'
import { Refreshes } from './refreshes.js'
import { Renewals } from './registration_renewal.js'
import { type Reloaded, reload } from './reload.js'
import { takePassedSockets } from './server/activation.js'
import { createAdminDispatch } from './server/admin_dispatch.js'
import { createHttpServer } from './server/http_pages.js'
import { type HttpPort, openHttpPort } from './server/http_port.js'
import { createRecorder } from './server/record.js'
import { Server } from './server/server.js'
import { createSiteDispatch } from './server/site_dispatch.js'
import { SiteCache } from './sites.js'
import { openStore } from './store/open.js'
import { startSweeping } from './sweeper.js'
import { ServiceManager } from './systemd/notify.js'
import { startWatchdog } from './systemd/watchdog.js'
import { version } from './version.js'

export interface Daemon {
  /** Where it listens, as the listeners' addresses came to be. */
  addresses: string[]
  /** Takes a changed relyd.cfg over, as far as that can be done; `log` tells what came of it. */
  reload(): Reloaded
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
  const passed = takePassedSockets(config.listeners)
  const manager = new ServiceManager(log)
  const { store, durability, schema, encryption } = await openStore({
    ...options,
    onCommit: observeCommits(metrics),
  })
  log.info({ database: options.database, ...durability, schema, encryption }, 'store open')
  if (schema.copy !== undefined) {
    log.info(
      { from: schema.found, to: schema.version, copy: schema.copy },
      'the database was brought up to date, after a copy of it was made',
    )
  }
  if (encryption.made) {
    log.warn(
      { key_file: options.key_file },
      'a new key was made; back it up apart from the database',
    )
  }
  const events = new EventHub()
  const sites = new SiteCache(store)
  const exchanges = new Exchanges()
  const renewals = new Renewals({
    store,
    sites,
    exchanges,
    clock,
    log,
    onDone: (outcome) => metrics.count('relyd_registration_renewals_total', outcome).add(),
  })
  const key_rotation = new KeyRotation({ store, sites, exchanges, clock, log })
  const services = {
    store,
    sites,
    exchanges,
    renewals,
    key_rotation,
    events,
    clock,
    log,
    metrics,
    refreshes: new Refreshes({
      store,
      events,
      clock,
      op_timeout: options.op_timeout,
      onDone: (outcome) => metrics.count('relyd_refreshes_total', outcome).add(),
    }),
  }
  const in_force = new InForce(config, services)
  const record_path = process.env['RELYD_RECORD']
  const record = record_path ? createRecorder(record_path) : undefined
  const server = new Server(log)
  const readiness = new Readiness(() => store.proveWritable(), log)
  let port: HttpPort | undefined
  const started_at = clock()
  const admin = (): AdminServices => ({
    ...in_force.services,
    realms: in_force.realms,
    daemon: {
      config_path: resolve(config.path),
      options: in_force.config.daemon,
      started_at,
      schema: schema.version,
      key_id: () => store.keys.current_id,
      listeners: () => listenersOf(config, server),
    },
  })
  const sweeping = startSweeping(store, clock, log)
  const keeping = keepKeys(store, log)
  renewals.start(() => in_force.realms)
  key_rotation.start(() => ({
    realms: in_force.realms,
    lifetime: in_force.services.settings.client_key_lifetime,
  }))
  const watchdog = startWatchdog(store, manager)
  readFrom(metrics, { store, in_force, server, events, sweeping, clock })

  async function stop(): Promise<void> {
    log.info('stopping')
    readiness.stopping()
    void manager.stopping('Finishes what runs')
    // They shall hear of it before their connections are cut.
    services.refreshes.stopWaiting()
    // What waits for an OP's answer about another change would outlast drain_timeout.
    const settled = Promise.all([exchanges.stop(), renewals.stop(), key_rotation.stop()])
    const cut = await server.drain(in_force.config.daemon.drain_timeout)
    if (cut > 0) log.warn({ connections: cut }, 'cut, as drain_timeout was over')
    const realms = [...in_force.realms.values()]
    await Promise.all([
      services.refreshes.finish(),
      settled,
      ...realms.map(({ passed_on }) => passed_on.finish()),
    ])
    await port?.close()
    sweeping.stop()
    keeping.stop()
    watchdog.stop()
    await Promise.all(realms.map(({ op }) => op.close()))
    await store.close()
    await manager.settled()
    log.info('stopped')
    await flushLog(log)
  }

  const addresses: string[] = []
  try {
    const { metrics_address } = options
    if (metrics_address) port = await openHttpPort(metrics_address, { metrics, readiness })
    const dispatches = new Map(
      [...in_force.realms.keys()].map((name) => [
        name,
        createSiteDispatch(() => in_force.realm(name), record),
      ]),
    )
    for (const listener of config.listeners) {
      addresses.push(
        await server.listen(listener, dispatches, { passed: passed.get(listener.name) }),
      )
    }
    const { admin_listener } = config
    await server.listen(
      admin_listener,
      new Map([[admin_listener.realm, createAdminDispatch(admin, record)]]),
      { http: createHttpServer({ metrics, readiness }) },
    )
    readiness.serving()
  } catch (error) {
    await stop()
    throw error
  }
  log.info(
    {
      version,
      node: process.version,
      pid: process.pid,
      addresses,
      passed: [...passed.keys()],
      metrics: port?.address,
    },
    'ready',
  )
  const serving = `Listens on ${addresses.join(', ')}`
  void manager.ready(serving)
  return {
    addresses,
    reload() {
      void manager.reloading('Reads relyd.cfg again')
      const reloaded = reload({ in_force, server, log })
      void manager.ready(`${serving}; ${outcomeOf(reloaded)}`)
      return reloaded
    },
    stop,
  }
}

/** For `systemctl status`, in short: the log tells the whole. */
function outcomeOf(reloaded: Reloaded): string {
  if ('refused' in reloaded) return 'relyd.cfg is NOT reloaded, see the log'
  const { needs_restart } = reloaded
  if (needs_restart.length === 0) return 'relyd.cfg is reloaded'
  return `relyd.cfg is reloaded, but for what needs a restart: ${needs_restart.join(', ')}`
}

/** The listeners of websites. */
function listenersOf(config: Config, server: Server) {
  const realms = new Map(config.listeners.map((one) => [one.name, [...realmsOf(one)]]))
  return server.listeners.flatMap((one) => {
    const served = realms.get(one.name)
    return served ? [{ ...one, realms: served }] : []
  })
}
