/** Renews registrations whose client secret expires (RFC 7591 3.2.1), before it does: one daemon each. */
import { LRUCache } from 'lru-cache'
import type { Clock, Seconds } from './clock.js'
import type { Realm } from './context.js'
import { CommandError } from './errors.js'
import type { Exchanges } from './exchanges.js'
import { describeFault } from './faults.js'
import type { Log } from './log.js'
import { onNobodysBehalf } from './on_behalf.js'
import { checkRegistration, providerOf } from './op/client.js'
import {
  asksOtherwise,
  checkAnswered,
  registerClient,
  settingsAnswered,
} from './op/registration.js'
import { isAccessible, unregisterClient } from './op/registration_access.js'
import { wishesOf } from './op/registration_request.js'
import { quotaExceeded } from './quota.js'
import {
  changeSite,
  readRegistrationAtOp,
  renewalOf,
  renewRegistrationAtOp,
} from './registration_changes.js'
import type { SiteCache } from './sites.js'
import { StoreError } from './store/errors.js'
import type { Site, Store } from './store/store.js'

const EVERY_MS = 1000

/** Renewals of a realm that are tried at the same time. */
const AT_ONCE = 16

/** For how many OP timeouts a renewal is this daemon's: token, documents, read, update, registration. */
const LEASE_TIMEOUTS = 20

/** Seconds after which a failed renewal is tried again: soon where there is little time left. */
const SOONEST: Seconds = 60
const LATEST: Seconds = 3600

/** Sites of which it is remembered how long they were let wait. */
const REMEMBERED = 10_000

export interface RenewalsOptions {
  store: Store
  sites: SiteCache
  exchanges: Exchanges
  clock: Clock
  log: Log
  /** Told what became of each: `updated`, `registered` or the code of the error. */
  onDone?: (outcome: string) => void
}

export class Renewals {
  readonly #options: Required<RenewalsOptions>
  readonly #running = new Map<string, Promise<void>>()
  /** Of them, those that no command waits for, by realm. */
  readonly #places = new Map<string, number>()
  /** Seconds to the next renewal of sites whose secrets never live that long. */
  readonly #pauses = new LRUCache<string, Seconds>({ max: REMEMBERED })
  #timer: NodeJS.Timeout | undefined
  #stopping = false

  constructor(options: RenewalsOptions) {
    this.#options = { onDone: () => {}, ...options }
  }

  /** @param realms those that are served now */
  start(realms: () => ReadonlyMap<string, Realm>): void {
    let looking = false
    this.#timer = setInterval(async () => {
      if (looking) return
      looking = true
      try {
        void Promise.all(await onNobodysBehalf(() => this.#beginDue(realms().values())))
      } catch (error) {
        this.#options.log.error(describeFault(error), 'registrations not renewed')
      } finally {
        looking = false
      }
    }, EVERY_MS).unref()
  }

  /** Renews what is due now, as far as there are places, and waits for it. */
  async look(realms: Iterable<Realm>): Promise<void> {
    await Promise.all(await onNobodysBehalf(() => this.#beginDue(realms)))
  }

  /** Asks no OP any more, and waits for answers under way: one may be the only copy of a secret. */
  async stop(): Promise<void> {
    this.#stopping = true
    clearInterval(this.#timer)
    await Promise.all(this.#running.values())
  }

  /**
   * The site with a secret that is still good, if one can be had: for a command that finds it expired.
   *
   * @returns the site as it was, where somebody else renews it, or that failed a moment ago
   */
  async ifExpired(realm: Realm, site: Site): Promise<Site> {
    const { client_secret_expires_at: expires_at = 0 } = site.client
    const { store, sites, clock } = this.#options
    if (site.registered_by !== 'relyd' || expires_at === 0 || expires_at > clock()) return site
    const stored = await store.getSite(site.oxd_id, site.realm)
    const { renew_at } = stored ?? {}
    if (renew_at != null && renew_at <= clock()) {
      await onNobodysBehalf(() => this.#renew(realm, site.oxd_id, renew_at))
    } else {
      await this.#running.get(site.oxd_id)
    }
    sites.forget(site)
    return (await sites.get(site.oxd_id, site.realm)) ?? site
  }

  /** Waits for no OP, so that none holds the others up. */
  async #beginDue(realms: Iterable<Realm>): Promise<Promise<void>[]> {
    const { store, clock } = this.#options
    const begun: Promise<void>[] = []
    for (const realm of realms) {
      const taken = () => this.#places.get(realm.name) ?? 0
      if (taken() >= AT_ONCE) continue
      const due = await store.dueRenewals(realm.name, clock(), AT_ONCE - taken())
      for (const { oxd_id, renew_at } of due) {
        if (this.#stopping || this.#running.has(oxd_id)) continue
        this.#places.set(realm.name, taken() + 1)
        const renewing = this.#renew(realm, oxd_id, renew_at)
        begun.push(renewing.finally(() => this.#places.set(realm.name, taken() - 1)))
      }
    }
    return begun
  }

  /** Never fails: what went wrong is logged, and tried again later. */
  #renew(realm: Realm, oxd_id: string, renew_at: Seconds): Promise<void> {
    const running = this.#running.get(oxd_id)
    if (running) return running
    const renewing = this.#renewIfOurs(realm, oxd_id, renew_at).finally(() =>
      this.#running.delete(oxd_id),
    )
    this.#running.set(oxd_id, renewing)
    return renewing
  }

  async #renewIfOurs(realm: Realm, oxd_id: string, renew_at: Seconds): Promise<void> {
    const { store, clock, log } = this.#options
    const until = clock() + LEASE_TIMEOUTS * realm.op.http.timeout
    try {
      if (!(await store.takeRenewal(oxd_id, renew_at, until))) return
      await this.#renewTaken(realm, oxd_id, until)
    } catch (error) {
      log.error(describeFault(error), 'registration not renewed')
    }
  }

  async #renewTaken(realm: Realm, oxd_id: string, until: Seconds): Promise<void> {
    const { store, clock, log, onDone } = this.#options
    const what = { site: oxd_id.slice(0, 8), realm: realm.name }
    let expires_at = 0
    try {
      const site = await store.getSite(oxd_id, realm.name)
      if (!site) return
      expires_at = site.client.client_secret_expires_at ?? 0
      const renewed = await this.#renewSite(realm, site)
      const outcome = renewed.client.client_id === site.client.client_id ? 'updated' : 'registered'
      const { client_id, client_secret_expires_at } = renewed.client
      await this.#pause(renewed)
      onDone(outcome)
      log.info({ ...what, outcome, client_id, client_secret_expires_at }, 'registration renewed')
    } catch (error) {
      const code = error instanceof CommandError ? error.code : 'internal_error'
      // Who runs next goes on with it at once.
      const pause = code === 'shutting_down' ? 0 : pauseOf(expires_at - clock())
      const again = clock() + pause
      onDone(code)
      const why = error instanceof CommandError ? { error: error.message } : describeFault(error)
      const tell = { ...what, outcome: code, ...why, client_secret_expires_at: expires_at, again }
      if (expires_at > clock()) log.warn(tell, 'registration not renewed')
      else log.error(tell, 'registration not renewed, and its client secret has expired')
      await store.takeRenewal(oxd_id, until, again)
    }
  }

  /** An OP whose secrets end at once must not be asked for others without end. */
  async #pause({ oxd_id, renew_at, client }: Site): Promise<void> {
    const { store, clock } = this.#options
    const { client_secret_expires_at: expires_at = 0 } = client
    const now = clock()
    if (renew_at == null || renew_at >= now + SOONEST) {
      this.#pauses.delete(oxd_id)
      return
    }
    const is_useless = expires_at <= now + SOONEST
    const pause = is_useless
      ? Math.min(2 * (this.#pauses.get(oxd_id) ?? SOONEST / 2), LATEST)
      : SOONEST
    this.#pauses.set(oxd_id, pause)
    await store.takeRenewal(oxd_id, renew_at, now + pause)
  }

  /** @throws CommandError */
  async #renewSite(realm: Realm, site: Site): Promise<Site> {
    const { store, sites, exchanges, clock, log } = this.#options
    const context = { store, sites, exchanges, clock, op: realm.op }
    if (isAccessible(realm.op, site)) {
      // RFC 7592 2.1, 2.2: an OP may put another secret in the place of one that is about to expire.
      for (const ask of [readRegistrationAtOp, renewRegistrationAtOp]) {
        this.#requireGoingOn()
        try {
          const answered = await ask(context, site, true)
          if (isLonger(answered, site)) return answered
        } catch (error) {
          if (isPassing(error)) throw error
          if (!(error instanceof CommandError)) {
            log.error(
              { ...describeFault(error), site: site.oxd_id.slice(0, 8) },
              'an OP was not understood',
            )
          }
        }
      }
    }
    return exchanges.inTurn(
      site.oxd_id,
      () => {
        this.#requireGoingOn()
        if (!realm.registrations.take()) {
          throw quotaExceeded(realm, { quota: 'registrations_per_minute', level: 'realm' })
        }
        return registerAnew(context, site)
      },
      true,
    )
  }

  #requireGoingOn(): void {
    if (this.#stopping) throw new CommandError('shutting_down', 'the daemon is stopping')
  }
}

/** Another client at the OP, which the site has from then on; the one before ends with its secret. */
async function registerAnew(
  context: Pick<RenewalsOptions, 'store' | 'sites' | 'clock'> & { op: Realm['op'] },
  site: Site,
): Promise<Site> {
  const { op, clock, store } = context
  const before = (await store.getSite(site.oxd_id, site.realm)) ?? site
  const { client_secret: _, registration_access_token: __, ...kept } = before.secrets
  const provider = await providerOf(op, before)
  const { client, secrets, asked_method } = await registerClient(
    op,
    provider,
    wishesOf(before),
    kept,
  )
  const renewed = (one: Site): Site => {
    // What was stored meanwhile stays.
    const { client_secret: _, registration_access_token: __, own_keys: ___, ...now } = one.secrets
    const next = { ...one, client, secrets: { ...secrets, ...now } }
    return { ...next, settings: settingsAnswered(next), renew_at: renewalOf(next, clock()) }
  }
  const made = renewed(before)
  try {
    checkAnswered(made, clock(), asked_method)
    await checkRegistration(op, made)
    return await changeSite(context, site, (one) => {
      const is_same =
        one.client.client_id === before.client.client_id &&
        !asksOtherwise(wishesOf(one), wishesOf(before))
      if (is_same) return renewed(one)
      throw new CommandError('site_changed', 'somebody else changed the site meanwhile')
    })
  } catch (error) {
    // Nobody will use what the OP has just made.
    await unregisterClient(op, made).catch(() => {})
    throw error
  }
}

function isLonger(answered: Site, before: Site): boolean {
  const { client_secret_expires_at: now = 0 } = answered.client
  const { client_secret_expires_at: then = 0 } = before.client
  return now === 0 || now > then
}

/** Whether to try again is better than to register anew. A fault that nobody foresaw passes as little as a refusal. */
function isPassing(error: unknown): boolean {
  return error instanceof StoreError || (error instanceof CommandError && error.retryable)
}

function pauseOf(left: Seconds): Seconds {
  return Math.min(Math.max(Math.floor(left / 10), SOONEST), LATEST)
}
