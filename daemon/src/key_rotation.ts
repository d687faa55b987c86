/** Replaces the keys that relyd made for sites, before they are old: one daemon each, the OP told first. */
import { setImmediate } from 'node:timers/promises'
import type { Clock, Seconds } from './clock.js'
import type { Realm } from './context.js'
import { CommandError } from './errors.js'
import type { Exchanges } from './exchanges.js'
import { describeFault } from './faults.js'
import type { Log } from './log.js'
import { onNobodysBehalf } from './on_behalf.js'
import { type KeyStep, nextStep, tellingOf, withSuccessors } from './op/key_change.js'
import { keptKeys, keysOf, withPublished } from './op/own_keys.js'
import { changeSite, renewRegistrationAtOp } from './registration_changes.js'
import type { SiteCache } from './sites.js'
import type { OwnKey, Site, Store } from './store/store.js'

const EVERY_MS = 10 * 60 * 1000

/** Sites that are looked at in one turn of the event loop. */
const SLICE = { rows: 100, bytes: 1024 * 1024 }

/** Of those, whose OPs may be asked at the same time. */
const AT_ONCE = 8

const DAY: Seconds = 24 * 60 * 60

export interface KeyRotationOptions {
  store: Store
  sites: SiteCache
  exchanges: Exchanges
  clock: Clock
  log: Log
}

/** What is in force when it looks. */
export interface KeyPolicy {
  realms: ReadonlyMap<string, Realm>
  /** Days; 0 for never. */
  lifetime: number
}

export class KeyRotation {
  readonly #options: KeyRotationOptions
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  #stopped = false

  constructor(options: KeyRotationOptions) {
    this.#options = options
  }

  start(policy: () => KeyPolicy): void {
    this.#timer = setInterval(() => void this.look(policy()), EVERY_MS).unref()
  }

  /** Begins nothing more, and waits for an OP that is being told. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearInterval(this.#timer)
    await this.#running
  }

  /** Does for every site what is next; never fails. */
  look(policy: KeyPolicy): Promise<void> {
    this.#running ??= onNobodysBehalf(() => this.#lookAll(policy)).finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  async #lookAll(policy: KeyPolicy): Promise<void> {
    const { store, log } = this.#options
    let after = ''
    const running = new Set<Promise<void>>()
    try {
      for (let more = true; more && !this.#stopped; await setImmediate()) {
        const slice = await store.listSites(after, SLICE)
        // What a list shows without opening anybody's secrets.
        const keyed = slice.rows.filter(({ client }) => client.jwks !== undefined)
        for (const { oxd_id, realm } of keyed) {
          // Nobody waits for an OP that hangs, while there are places.
          if (running.size >= AT_ONCE) await Promise.race(running)
          if (this.#stopped) break
          const one = this.#lookAt(oxd_id, policy.realms.get(realm), policy.lifetime).finally(() =>
            running.delete(one),
          )
          running.add(one)
        }
        more = slice.more
        after = slice.rows.at(-1)?.oxd_id ?? after
      }
    } catch (error) {
      log.error(describeFault(error), 'keys of sites not looked at')
    }
    await Promise.all(running)
  }

  /** Never fails. */
  async #lookAt(oxd_id: string, realm: Realm | undefined, lifetime: number): Promise<void> {
    const { store, clock, log } = this.#options
    let what: object = { site: oxd_id.slice(0, 8), realm: realm?.name }
    try {
      const site = realm && (await store.getSite(oxd_id, realm.name))
      if (!site) return
      const step = nextStep(site, clock(), lifetime * DAY)
      if (step === undefined) return
      what = { ...what, step }
      const changed = await this.#take(realm, site, step)
      if (changed) log.info({ ...what, kids: kidsOf(changed) }, 'keys of the site changed')
    } catch (error) {
      const why = error instanceof CommandError ? { error: error.message } : describeFault(error)
      log.warn({ ...what, ...why }, 'keys of the site not changed; tried again within the hours')
    }
  }

  /**
   * Replaces the keys of a site now, whatever their age.
   *
   * @returns the site as it is then
   * @throws CommandError `invalid_request` where nobody can, `site_changed`, and those of an update
   */
  async rotate(realm: Realm, site: Site): Promise<Site> {
    const { own_keys = [] } = site.secrets
    if (own_keys.length === 0) {
      throw new CommandError(
        'invalid_request',
        'the site has no keys that relyd made; one that its operator gave is replaced by `relyd sites update NAME --private-key FILE`',
        { details: { field: 'site' } },
      )
    }
    if (tellingOf(site) === undefined) {
      throw new CommandError(
        'invalid_request',
        'the OP cannot be told of new keys: it lets nobody update what it registered (RFC 7592), and the site has no jwks_uri; for new keys remove the site and register it anew',
        { details: { field: 'site' } },
      )
    }
    const isWaiting = own_keys.some(({ ready_at }) => ready_at === undefined)
    const changed = await this.#take(realm, site, isWaiting ? 'tell' : 'make')
    if (changed) return changed
    throw new CommandError('site_changed', 'somebody else changed or removed the site just now')
  }

  /** @returns undefined where another, or another daemon, was faster */
  async #take(realm: Realm, site: Site, step: KeyStep): Promise<Site | undefined> {
    const { store, sites, exchanges, clock } = this.#options
    const context = { store, sites, exchanges, clock, op: realm.op }
    switch (step) {
      case 'make': {
        const own_keys = await withSuccessors(site, clock())
        if (tellingOf(site) === 'jwks_uri') {
          return this.#put(withPublished(site, own_keys, clock()))
        }
        const made = await this.#put({ ...site, secrets: { ...site.secrets, own_keys } })
        return made && renewRegistrationAtOp(context, made)
      }
      case 'tell': {
        // Who says so first asks the OP, and nobody else for a while.
        const asked = await this.#put(askedAt(site, clock()))
        return asked && renewRegistrationAtOp(context, asked)
      }
      case 'store':
        return exchanges.inTurn(
          site.oxd_id,
          () =>
            changeSite(context, site, (one) =>
              withPublished(one, keptKeys(one.secrets.own_keys ?? [], clock()), clock()),
            ),
          true,
        )
    }
  }

  async #put(site: Site): Promise<Site | undefined> {
    const { store, sites } = this.#options
    if ((await store.updateSite(site)) !== 'updated') return undefined
    sites.forget(site)
    return { ...site, version: (site.version ?? 1) + 1 }
  }
}

function askedAt(site: Site, now: Seconds): Site {
  const own_keys = (site.secrets.own_keys ?? []).map((key, at): OwnKey => {
    return at === 0 || key.ready_at === undefined ? { ...key, asked_at: now } : key
  })
  return { ...site, secrets: { ...site.secrets, own_keys } }
}

function kidsOf({ client }: Site): string[] {
  return keysOf(client).map(({ kid }) => kid)
}
