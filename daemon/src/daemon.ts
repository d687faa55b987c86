/** The composition root: builds the daemon from its configuration, runs it and stops it. */

import { resolve } from 'node:path'
import type { AdminServices } from './admin/admin_command.js'
import { systemClock } from './clock.js'
import { type Config, realmsOf } from './config/config.js'
import { EventHub } from './events.js'
import { InForce } from './in_force.js'
import { keepKeys } from './key_keeper.js'
import { flushLog, type Log } from './log.js'
import { Refreshes } from './refreshes.js'
import { type Reloaded, reload } from './reload.js'
import { createAdminDispatch } from './server/admin_dispatch.js'
import { createRecorder } from './server/record.js'
import { Server } from './server/server.js'
import { createSiteDispatch } from './server/site_dispatch.js'
import { SiteCache } from './sites.js'
import { openStore } from './store/open.js'
import { startSweeping } from './sweeper.js'
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
  const { store, durability, schema, encryption } = await openStore(options)
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
  const services = {
    store,
    sites: new SiteCache(store),
    events,
    clock,
    log,
    refreshes: new Refreshes({ store, events, clock, op_timeout: options.op_timeout }),
  }
  const in_force = new InForce(config, services)
  const record_path = process.env['RELYD_RECORD']
  const record = record_path ? createRecorder(record_path) : undefined
  const server = new Server(log)
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

  async function stop(): Promise<void> {
    log.info('stopping')
    // They shall hear of it before their connections are cut.
    services.refreshes.stopWaiting()
    const cut = await server.drain(in_force.config.daemon.drain_timeout)
    if (cut > 0) log.warn({ connections: cut }, 'cut, as drain_timeout was over')
    const realms = [...in_force.realms.values()]
    await Promise.all([
      services.refreshes.finish(),
      ...realms.map(({ passed_on }) => passed_on.finish()),
    ])
    sweeping.stop()
    keeping.stop()
    await Promise.all(realms.map(({ op }) => op.close()))
    await store.close()
    log.info('stopped')
    await flushLog(log)
  }

  const addresses: string[] = []
  try {
    const dispatches = new Map(
      [...in_force.realms].map(([name, realm]) => {
        const now = () => ({
          services: in_force.services,
          realm: in_force.realms.get(name) ?? realm,
        })
        return [name, createSiteDispatch(now, record)]
      }),
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
  return { addresses, reload: () => reload({ in_force, server, log }), stop }
}

/** The listeners of websites. */
function listenersOf(config: Config, server: Server) {
  const realms = new Map(config.listeners.map((one) => [one.name, [...realmsOf(one)]]))
  return server.listeners.flatMap((one) => {
    const served = realms.get(one.name)
    return served ? [{ ...one, realms: served }] : []
  })
}
