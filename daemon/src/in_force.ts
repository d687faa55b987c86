/** The configuration in force, and what was made of it: a reload changes all of it in one step. */
import type { Config, DaemonConfig } from './config/config.js'
import type { Realm, Services, Settings } from './context.js'
import { WorkingRealm } from './working_realm.js'

export class InForce {
  readonly #working: ReadonlyMap<string, WorkingRealm>
  #config: Config
  #services: Services
  #realms: ReadonlyMap<string, Realm>

  constructor(config: Config, services: Omit<Services, 'settings'>) {
    this.#config = config
    this.#services = { ...services, settings: settingsOf(config.daemon) }
    this.#working = new Map(
      [...config.realms].map(([name, policy]) => [
        name,
        new WorkingRealm(policy, services, config),
      ]),
    )
    this.#realms = realmsNow(this.#working)
  }

  get config(): Config {
    return this.#config
  }

  /** Replaced as a whole: who took it keeps what it began with. */
  get services(): Services {
    return this.#services
  }

  /** The realms by their names, replaced in the same way. */
  get realms(): ReadonlyMap<string, Realm> {
    return this.#realms
  }

  /** @param config with the same realms and listeners */
  change(config: Config): void {
    const { daemon } = config
    this.#config = config
    this.#services.refreshes.change(daemon.op_timeout)
    this.#services = { ...this.#services, settings: settingsOf(daemon) }
    for (const [name, policy] of config.realms) this.#working.get(name)?.change(policy, config)
    this.#realms = realmsNow(this.#working)
  }
}

function settingsOf({ default_op, login_lifetime, session_lifetime }: DaemonConfig): Settings {
  return { default_op, login_lifetime, session_lifetime }
}

function realmsNow(working: ReadonlyMap<string, WorkingRealm>): ReadonlyMap<string, Realm> {
  return new Map([...working].map(([name, realm]) => [name, realm.inForce]))
}
