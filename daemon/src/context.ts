/** What a command's handler may reach. */
import type { LRUCache } from 'lru-cache'
import type { Clock } from './clock.js'
import type { CommandErrorOptions, CommonErrorCode, ErrorCode } from './errors.js'
import type { EventHub, Subscriber } from './events.js'
import type { Exchanges } from './exchanges.js'
import type { KeyRotation } from './key_rotation.js'
import type { Log } from './log.js'
import type { Metrics } from './metrics/metrics.js'
import type { OpNames } from './metrics/op_names.js'
import type { OpSide } from './op/op_side.js'
import type { PassedOn } from './passed_on.js'
import type { InFlight, Quotas } from './quota.js'
import type { Refreshes } from './refreshes.js'
import type { Renewals } from './registration_renewal.js'
import type { SiteCache } from './sites.js'
import type { Store } from './store/store.js'
import type { Throttle } from './throttle.js'

/** The versions of oxD whose clients expect the same shapes. */
export type OxdGeneration = '3.1' | '3.0' | '2.4'

/** The realm's policy, which applies to all of its sites. */
export interface RealmPolicy {
  name: string
  /** `daemon` keeps tokens from every site of the realm. */
  tokens: 'site' | 'daemon'
  /** Whether logins may have an OP send access tokens through the browser. */
  front_channel_access_tokens: boolean
  /** Hosts of OPs that may have any address, as the address policy compares them. */
  allowed_op_hosts: string[]
  /** Whether sites may have the OP of an identifier found. */
  webfinger: boolean
  /** What oxd clients expect; undefined where they are not served. */
  oxd_clients: OxdGeneration | undefined
  /** Whether they must show a protection_access_token, and nobody else is served. */
  protect_commands_with_access_token: boolean
  quotas: Quotas
}

/** A realm at work: its policy, and what is kept apart from other realms. */
export interface Realm extends RealmPolicy {
  op: OpSide
  /** What its OPs are called in metrics. */
  op_names: OpNames
  /** For refresh tokens that no session has. */
  passed_on: PassedOn
  /** Whose tokens of setup clients were, by their hashes: a hint which client to ask the OP as. */
  client_tokens: LRUCache<string, string>
  /** Commands that run. */
  requests: InFlight
  /** Registrations that the realm may still make at this moment. */
  registrations: Throttle
  /** Questions to OPs about no site that it may still ask. */
  lookups: Throttle
}

/** What outlives a single command. */
export interface Services {
  store: Store
  sites: SiteCache
  events: EventHub
  clock: Clock
  log: Log
  settings: Settings
  refreshes: Refreshes
  metrics: Metrics
  /** With OPs, about registrations. */
  exchanges: Exchanges
  renewals: Renewals
  key_rotation: KeyRotation
}

/** Options that handlers look at. */
export interface Settings {
  /** The OP of sites that name none. */
  default_op: string | undefined
  /** Seconds between the authorization URL and its callback. */
  login_lifetime: number
  /** Seconds from a login to the end of its session. */
  session_lifetime: number
  /** Days after which keys that relyd made for sites are replaced; 0 for never. */
  client_key_lifetime: number
}

export interface Context<E extends ErrorCode> extends Services {
  realm: Realm
  /** The realm's, at hand. */
  op: OpSide
  /** The connection that the command came over. */
  caller: Subscriber
  /** Answers the caller with an error that the command declares. */
  refuse(code: E | CommonErrorCode, description: string, options?: CommandErrorOptions): never
}
