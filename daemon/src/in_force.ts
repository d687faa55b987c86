/** The configuration in force, and what was made of it: a reload changes all of it in one step. */
import type { Config, DaemonConfig } from './config/config.js'
import type { Realm, Services, Settings } from './context.js'
import { WorkingRealm } from './working_realm.js'

/** What a realm's commands have. */
export interface RealmInForce {
  services: Services
  realm: Realm
}

export class InForce {
  readonly #working: ReadonlyMap<string, WorkingRealm>
  #config: Config
  #services: Services
  #realms: ReadonlyMap<string, Realm>
  #with_services: ReadonlyMap<string, RealmInForce>

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
    this.#with_services = withServices(this.#realms, this.#services)
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

  /** A realm with the services, the same object until a change. */
  realm(name: string): RealmInForce {
    const found = this.#with_services.get(name)
    if (!found) throw new Error(`the realm ${name} was not read`)
    return found
  }

  /** @param config with the same realms and listeners */
  change(config: Config): void {
    const { daemon } = config
    this.#config = config
    this.#services.refreshes.change(daemon.op_timeout)
    this.#services = { ...this.#services, settings: settingsOf(daemon) }
    for (const [name, policy] of config.realms) this.#working.get(name)?.change(policy, config)
    this.#realms = realmsNow(this.#working)
    this.#with_services = withServices(this.#realms, this.#services)
  }
}

function settingsOf(options: DaemonConfig): Settings {
  const { default_op, login_lifetime, session_lifetime, client_key_lifetime } = options
  return { default_op, login_lifetime, session_lifetime, client_key_lifetime }
}

function realmsNow(working: ReadonlyMap<string, WorkingRealm>): ReadonlyMap<string, Realm> {
  return new Map([...working].map(([name, realm]) => [name, realm.inForce]))
}

function withServices(
  realms: ReadonlyMap<string, Realm>,
  services: Services,
): ReadonlyMap<string, RealmInForce> {
  return new Map([...realms].map(([name, realm]) => [name, { services, realm }]))
}
