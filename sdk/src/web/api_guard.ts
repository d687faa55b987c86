/** An API's door: lets requests pass that bring an access token which the OP calls good, for this API. */
import type { Client } from '../client.js'
import type { IntrospectAccessTokenResult } from '../methods.js'
import { checkScope, readBearer, refuse } from './bearer.js'
import { GrantCache } from './grant_cache.js'
import { json } from './page.js'
import { isRefusal } from './trouble.js'

/** What an access token stands for, by the OP (RFC 7662 2.2). */
export interface Grant extends Omit<IntrospectAccessTokenResult, 'active' | 'scope' | 'aud'> {
  /** Its scopes, one by one. */
  scope: string[]
  /** For which APIs it was issued; empty if the OP did not say. */
  aud: string[]
}

/** Options of an {@link ApiGuard}. */
export interface ApiGuardOptions {
  /**
   * The API's name in the tokens' `aud`, or several; one of them must be there. Default: the site's
   * own client_id, and tokens without any `aud` that were issued to this client.
   */
  audience?: string | readonly string[] | undefined
  /**
   * Seconds for which a token that was found good is let pass without asking the OP again; never
   * beyond its expiry. So long a revoked token may still work. Default: 10; 0 asks each time.
   */
  cache_seconds?: number | undefined
  /** Called with the reason for each answer 503, and waited for: for the log. */
  on_trouble?: ((error: Error, request: Request) => unknown) | undefined
}

/** What one resource asks for. */
export interface GrantNeeds {
  /** Scopes that the token must have, all of them. */
  scope?: readonly string[] | undefined
}

/**
 * Guards an API by OAuth 2.0 bearer tokens (RFC 6750), about which relyd asks the OP (RFC 7662).
 * Tokens are taken from the Authorization header only.
 *
 * For Express, Fastify and `node:http` there are adapters: `@relyd/sdk/express`, `/fastify`, `/node`.
 *
 * @example
 * ```ts
 * const guard = new ApiGuard(new Client('/etc/mysite/site.cfg'))
 *
 * async function time(request: Request): Promise<Response> {
 *   const grant = await guard.check(request, { scope: ['time'] })
 *   if (grant instanceof Response) return grant
 *   return Response.json({ now: new Date(), for: grant.sub })
 * }
 * ```
 */
export class ApiGuard {
  /** The site's origin, by its cfg: the `realm` of the challenges. */
  readonly origin: string
  readonly #client: Client
  readonly #audience: readonly string[] | undefined
  readonly #grants: GrantCache<Grant>
  readonly #on_trouble: ApiGuardOptions['on_trouble']

  /** @throws TypeError or RangeError if an option will not do */
  constructor(client: Client, options: ApiGuardOptions = {}) {
    const { audience, cache_seconds = 10, on_trouble } = options
    if (!(cache_seconds >= 0 && cache_seconds <= 3600)) {
      throw new RangeError('cache_seconds must be a number from 0 to 3600')
    }
    this.#audience = typeof audience === 'string' ? [audience] : audience
    if (this.#audience?.some((one) => !one) || this.#audience?.length === 0) {
      throw new TypeError('audience must name an API')
    }
    this.#client = client
    this.#grants = new GrantCache(cache_seconds)
    this.#on_trouble = on_trouble
    this.origin = new URL(client.authorization_redirect_uri).origin
  }

  /**
   * Looks at a request's token. An app that answers browsers of other sites (CORS) answers their
   * OPTIONS, which bring no token, before it asks here.
   *
   * @returns what the token stands for, or what to answer instead: 400, 401 or 403 with a challenge
   *   (RFC 6750 3.1); 503 if relyd or the OP cannot be asked, which is never a pass
   * @throws TypeError if a scope can be none
   */
  async check(request: Request, { scope = [] }: GrantNeeds = {}): Promise<Grant | Response> {
    checkScope(scope)
    const brought = readBearer(request.headers.get('authorization'))
    if (typeof brought === 'string') return refuse(brought, this.origin, scope)
    let grant: Grant | undefined
    try {
      grant = await this.#grants.get(brought.token, () => this.#ask(brought.token))
    } catch (error) {
      if (!isRefusal(error)) throw error
      await this.#on_trouble?.(error, request)
      return json(503, { error: 'temporarily_unavailable' }, { 'retry-after': '5' })
    }
    if (!grant) return refuse('inactive', this.origin, scope)
    const granted = new Set(grant.scope)
    if (!scope.every((one) => granted.has(one))) return refuse('scope', this.origin, scope)
    // A copy: what one request's handler does to it must not reach the next one's.
    return { ...grant, scope: [...grant.scope], aud: [...grant.aud] }
  }

  async #ask(access_token: string): Promise<Grant | undefined> {
    const [own, { active, scope, aud = [], ...answer }] = await Promise.all([
      this.#audience ?? this.#client.getSite(),
      this.#client.introspectAccessToken({ access_token }),
    ])
    if (!active) return undefined
    // A token that another API was given must not open this one: its `aud` decides, where there is
    // one (RFC 9700 2.3, RFC 9068 4).
    const ours =
      'client_id' in own
        ? aud.includes(own.client_id) || (aud.length === 0 && answer.client_id === own.client_id)
        : own.some((one) => aud.includes(one))
    return ours ? { ...answer, aud, scope: scope?.split(' ').filter(Boolean) ?? [] } : undefined
  }
}
