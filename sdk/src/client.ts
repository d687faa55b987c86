/** A website's connection to relyd: its cfg, its registration, and a method for every command. */
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { CallOptions, CommandTraits } from './call_options.js'
import { Connection } from './connection.js'
import { CommandError, ConfigError } from './errors.js'
import { checkTimeout } from './limits.js'
import { Methods, type RemoveSiteParams, type RemoveSiteResult } from './methods.js'
import { Registration } from './registration.js'
import { readSiteConfig } from './site_config.js'
import { type EventListener, type EventName, Subscription } from './subscription.js'

/** Milliseconds a call may take unless call, Client or cfg say otherwise. */
const DEFAULT_TIMEOUT_MS = 30_000

/** Options of a {@link Client}. */
export interface ClientOptions {
  /** Milliseconds a call may take, instead of what the cfg says. */
  timeout_ms?: number | undefined
  /**
   * Variables that override the cfg's keys: `RELYD_SOCKET` overrides `socket`, and so on for every
   * key. `process.env` unless given, which all clients of a process share: a process with several
   * sites gives each its own, or `{}` for none.
   */
  env?: Readonly<Record<string, string | undefined>> | undefined
}

/**
 * A site's client of relyd. One serves a whole website: calls share a connection, which is opened
 * by the first one and again after a loss.
 *
 * The site is registered when a method needs it for the first time; the cfg keeps the id.
 *
 * @example
 * ```ts
 * const client = new Client('/etc/mysite/site.cfg')
 *
 * // GET /login
 * const login = await client.getAuthorizationUrl()
 * response.setHeader('Set-Cookie', login.set_cookie)
 * response.writeHead(302, { Location: login.authorization_url }).end()
 *
 * // GET /callback
 * const { session_id, id_token_claims } = await client.getTokensByCallback({
 *   callback: request.url ?? '',
 *   cookie: request.headers.cookie ?? '',
 * })
 * ```
 */
export class Client extends Methods {
  /** Where the OP sends browsers after a login, by the cfg: the website's origin is this one's. */
  readonly authorization_redirect_uri: string
  /** Where the OP sends browsers after a logout, if the cfg says. */
  readonly post_logout_redirect_uri: string | undefined
  readonly #path: string
  readonly #timeout_ms: number
  readonly #connection: Connection
  readonly #registration: Registration
  readonly #subscription: Subscription

  /**
   * Reads the cfg, and the environment variables that override it; nothing is sent yet.
   *
   * What is odd but does no harm is told as a warning of the process, of type `RelydConfigWarning`.
   *
   * @param configPath the site's cfg, made from relyd's `sample.cfg`; docs/cfg.md tells how it is read
   * @throws {ConfigError} if the cfg cannot be read or a value is wrong
   */
  constructor(configPath: string | URL, options: ClientOptions = {}) {
    super()
    // Once and for all: the process may change its folder later.
    this.#path = configPath instanceof URL ? fileURLToPath(configPath) : resolve(configPath)
    const config = readSiteConfig(this.#path, options.env)
    this.authorization_redirect_uri = config.registration.authorization_redirect_uri
    this.post_logout_redirect_uri = config.registration.post_logout_redirect_uri
    this.#timeout_ms = checkTimeout(options.timeout_ms ?? config.timeout_ms ?? DEFAULT_TIMEOUT_MS)
    this.#connection = new Connection(config.address, this.#timeout_ms)
    this.#registration = new Registration(config, this.#connection, this.#timeout_ms)
    this.#subscription = new Subscription(this.#connection, this.#registration, this.#timeout_ms)
  }

  /**
   * Registers this client's site, as its cfg describes it, now instead of on its first use.
   *
   * @returns the site's `oxd_id`, which the cfg keeps
   * @see `register_site` in relyd's docs/protocol.md
   */
  async registerSite(options: CallOptions = {}): Promise<string> {
    const oxd_id = await this.#registration.ensure(this.#limits(options))
    this.#subscription.resume()
    return oxd_id
  }

  /**
   * Calls the listener for each event of this site, from now on. The daemon is asked for them in the
   * background, over each connection anew, and a process waits for none: troubles, and what a
   * listener throws or rejects with, are process warnings of the type `RelydEventWarning`. What
   * happens while there is no connection is not told later, and one event may be told twice.
   *
   * @param listener given again, it is called once all the same
   * @example
   * ```ts
   * client.on('logout', ({ session_ref }) => sockets.closeOf(session_ref))
   * ```
   * @see "Events" in relyd's docs/protocol.md
   */
  on<E extends EventName>(event: E, listener: EventListener<E>): this {
    this.#subscription.add(event, listener)
    return this
  }

  /** Calls the listener no more. Without any, the daemon is asked to send nothing. */
  off<E extends EventName>(event: E, listener: EventListener<E>): this {
    this.#subscription.remove(event, listener)
    return this
  }

  /**
   * Sends any command. Params go out as they are, without an `oxd_id` of their own, and are not
   * sent again if the connection breaks.
   *
   * @returns the reply's data
   * @throws {CommandError | TransportError | ProtocolError}
   */
  call(command: string, params: object = {}, options: CallOptions = {}): Promise<unknown> {
    return this.#connection.call(command, params, 'never', options)
  }

  /**
   * Removes this client's site, then its id and key from the cfg: the next use registers anew.
   *
   * Nothing is registered in order to be removed. Where the id could not be kept, another process than
   * the one that registered calls {@link registerSite} first, which asks for it by the idempotency key.
   *
   * @throws {ConfigError} if the site's id is known neither to this client nor in the cfg
   */
  override async removeSite(
    params: RemoveSiteParams = {},
    options?: CallOptions,
  ): Promise<RemoveSiteResult> {
    if (!this.#registration.known) {
      throw new ConfigError(
        this.#path,
        undefined,
        'this site is not registered, as far as this process and the cfg know: nothing to remove. If it was, by ' +
          'an idempotency_key, call registerSite() first, which answers its id (and registers it otherwise)',
      )
    }
    const result = await super.removeSite(params, options)
    this.#registration.forget()
    this.#subscription.pause()
    return result
  }

  /**
   * Closes the connection. Pending calls are rejected with `ERR_CLOSED`, as later ones are.
   * Closing twice does no harm.
   */
  close(): Promise<void> {
    return this.#connection.close()
  }

  /** Closes the client at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  protected override async request(
    command: string,
    params: object,
    traits: CommandTraits,
    options: CallOptions = {},
  ): Promise<unknown> {
    const { retry, op } = traits
    if (!traits.site) return this.#connection.call(command, params, retry, { ...options, op })
    let oxd_id = this.#registration.id
    let limits = options
    if (oxd_id === undefined) {
      const began = performance.now()
      const { timeout_ms } = this.#limits(options)
      oxd_id = await this.#registration.ensure({ ...options, timeout_ms })
      this.#subscription.resume()
      limits = { ...options, timeout_ms: Math.max(1, timeout_ms - (performance.now() - began)) }
    }
    try {
      return await this.#connection.call(command, { ...params, oxd_id }, retry, { ...limits, op })
    } catch (error) {
      throw this.#withCure(error)
    }
  }

  /** The daemon cannot know where its caller has the id from: a cfg of oxd's, or of another relyd. */
  #withCure(error: unknown): unknown {
    if (!(error instanceof CommandError) || error.code !== 'invalid_oxd_id') return error
    const cure = `take the value of "id" out of ${this.#path} (or RELYD_ID away), and the site registers anew; one that its operator added, the operator adds again (relyd sites add)`
    const { code, command, message, request_id, details, retryable, spec } = error
    return new CommandError(command, {
      error: code,
      error_description: `${message}; if it was never registered there, ${cure}`,
      request_id,
      details,
      retryable,
      spec,
    })
  }

  #limits(options: CallOptions): CallOptions & { timeout_ms: number } {
    return { ...options, timeout_ms: checkTimeout(options.timeout_ms ?? this.#timeout_ms) }
  }
}
