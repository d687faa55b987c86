/** A site that logs in at a bent OP, and what must hold when it is refused. */
import { expect } from 'vitest'
import { TestDaemon } from '../daemon.js'
import type { Reply, Wire } from '../wire.js'
import { randomText } from './jws.js'
import type { BentOp } from './op.js'
import { type RefusedCommand, refusesCommand } from './refused.js'
import type { Bends, Calls, Members, Mode } from './types.js'

/** What a login that must fail is expected to come to. */
export interface Refused {
  error: string
  /** The section by which it is refused; absent, there must be one all the same. */
  spec?: unknown
  /** Members that `details` must have among others. */
  details?: Members
  /**
   * What the OP was asked from the callback on; unless said otherwise, its token endpoint once where
   * the response brings a code and nothing in it was bent.
   */
  calls?: Calls
  /** False where the callback was refused before the login was taken. */
  spent?: false
  /** What the OP is asked in the honest login that follows, if not what {@link BentSite.accepts} says. */
  next?: Calls
}

export interface BentLogin {
  /** From the authorization response on. */
  bends?: Bends
  /** Changes the authorization response's parameters. */
  callback?: (response: URLSearchParams) => void
  /** How the response comes, whatever was asked for. */
  as?: Mode
  /** Parameters of get_authorization_url beside oxd_id. */
  request?: LoginRequest
}

export interface LoginRequest {
  response_type?: string
  [name: string]: unknown
}

/** A site registered at a bent OP, with what a conformance row has to show. */
export class BentSite {
  readonly wire: Wire
  readonly op: BentOp
  readonly oxd_id: string
  /** Of logins that name none. */
  readonly response_type: string

  constructor(wire: Wire, op: BentOp, oxd_id: string, response_type = 'code') {
    this.wire = wire
    this.op = op
    this.oxd_id = oxd_id
    this.response_type = response_type
  }

  /** Registers dynamically, or with the client that `params` name. */
  static async register(wire: Wire, op: BentOp, params: LoginRequest = {}): Promise<BentSite> {
    const { oxd_id } = await wire.ok('register_site', {
      op_host: op.issuer,
      authorization_redirect_uri: 'https://site.example/callback',
      ...params,
    })
    return new BentSite(wire, op, oxd_id, params.response_type)
  }

  /**
   * A registration that fails: the OP is asked for it once, what it made is removed there where
   * `calls` has that, and the same one succeeds once the OP is honest, and brings logins.
   */
  static async refusesToRegister(
    wire: Wire,
    op: BentOp,
    { calls = { registration: 1 }, ...expected }: RefusedCommand,
    given: LoginRequest = {},
  ): Promise<Reply['data']> {
    const params = {
      op_host: op.issuer,
      authorization_redirect_uri: 'https://site.example/callback',
      idempotency_key: randomText(6),
      ...given,
    }
    const clients = op.clients.size
    const asked = ['register_site', params] as const
    const data = await refusesCommand(wire, op, asked, { ...expected, calls })
    if (calls.client) expect(op.clients.size).toBe(clients)
    const site = await BentSite.register(wire, op, params)
    await site.accepts()
    return data
  }

  /** Starts a login and lets the End-User agree; bends remain. @returns the parameters that complete it */
  async begin({ bends, callback, as, request }: BentLogin = {}): Promise<{
    oxd_id: string
    callback: string
    binding: string
  }> {
    const { oxd_id } = this
    const login = await this.wire.ok('get_authorization_url', { oxd_id, ...request })
    if (bends) this.op.bend(bends)
    return {
      oxd_id,
      callback: this.op.authorize(login.authorization_url, callback, as),
      binding: login.binding,
    }
  }

  /** A login with the OP bent from the authorization response on. @returns the reply, whichever it is */
  async attempt(login: BentLogin = {}): Promise<Reply> {
    const begun = await this.begin({ bends: {}, ...login })
    const reply = await this.wire.call('get_tokens_by_callback', begun)
    this.op.straighten()
    return reply
  }

  /**
   * A login that succeeds and whose session works.
   *
   * @param calls what the OP is asked; unless said otherwise, the token endpoint once if the response
   * brings a code, and UserInfo once if the login brings an access token
   */
  async accepts(login: BentLogin = {}, calls?: Calls): Promise<Reply['data']> {
    const brings = this.#brings(login)
    const start = this.op.asked.length
    const { status, data } = await this.attempt(login)
    expect({ status, data }).toMatchObject({ status: 'ok', data: { sub: this.op.sub } })
    const { oxd_id } = this
    if (!brings.code && !brings.token) {
      // The session is there all the same.
      await this.wire.ok('get_session', { oxd_id, session_id: data.session_id })
      expect(this.op.calls(start)).toEqual(calls ?? {})
      return data
    }
    const { claims } = await this.wire.ok('get_user_info', { oxd_id, session_id: data.session_id })
    expect(claims).toMatchObject({ sub: this.op.sub })
    expect(this.op.calls(start)).toEqual(calls ?? { ...(brings.code && { token: 1 }), userinfo: 1 })
    return data
  }

  /** What the authorization response of a login brings. */
  #brings({ request }: BentLogin): { code: boolean; token: boolean } {
    const types = (request?.response_type ?? this.response_type).split(' ')
    return { code: types.includes('code'), token: types.includes('token') }
  }

  /**
   * A login that fails with this error for good: nothing beyond `calls` is asked of the OP, no
   * session or token comes out, the same callback does not work later, and an honest login does.
   */
  async refuses(login: BentLogin, refused: Refused): Promise<Reply['data']> {
    const { op, wire, oxd_id } = this
    const bends = login.bends ?? {}
    const is_front = Object.keys(bends).some((name) => name.startsWith('front_'))
    const honest_calls = this.#brings(login).code && !is_front ? { token: 1 } : {}
    let { details } = refused
    const { error, spec, calls = honest_calls, spent = true } = refused
    const secrets = op.secrets.length
    const tokens = op.access_tokens.length
    const daemon = TestDaemon.behind(wire)
    const before = await daemon.sessionsOf(oxd_id)
    const begun = await this.begin({ ...login, bends })
    const start = op.asked.length

    const { status, data } = await wire.call('get_tokens_by_callback', begun)
    op.straighten()
    // The login is over; whoever could retry a command then is told that a new one may go well.
    if (error === 'op_unreachable') details = { ...details, login_retry: 'later' }
    expect({ status, data }).toMatchObject({
      status: 'error',
      data: { error, retryable: false, ...(details && { details }) },
    })
    // Whoever looks after the site must be able to tell the OP's people where it stands.
    const withoutSection = ['op_unreachable', 'op_host_not_allowed', 'invalid_request']
    expect(withoutSection.includes(error) || data.spec).toEqual(spec ?? expect.anything())
    expect(op.calls(start)).toEqual(calls)

    const reply = JSON.stringify(data)
    for (const secret of op.secrets.slice(secrets)) expect(reply).not.toContain(secret)
    for (const access_token of op.access_tokens.slice(tokens)) {
      expect(await wire.refused('get_user_info', { oxd_id, access_token })).toMatchObject({
        error: 'unknown_access_token',
      })
    }
    expect(await wire.refused('get_tokens_by_callback', begun)).toMatchObject({
      error: spent ? 'invalid_state' : error,
    })
    expect(op.calls(start)).toEqual(calls)
    expect(await daemon.sessionsOf(oxd_id)).toBe(before)
    await this.accepts({ ...(login.request && { request: login.request }) }, refused.next)
    return data
  }

  /**
   * UserInfo that is refused, of a session or an access token of this site: the OP is asked for it
   * once, and honest answers and logins are good afterwards.
   */
  async refusesUserInfo(
    whose: { session_id: string } | { access_token: string },
    { calls = { userinfo: 1 }, ...expected }: RefusedCommand,
  ): Promise<Reply['data']> {
    const { wire, op, oxd_id } = this
    const asked = { oxd_id, ...whose }
    const data = await refusesCommand(wire, op, ['get_user_info', asked], { ...expected, calls })
    expect(data).not.toHaveProperty('claims')
    const { claims } = await wire.ok('get_user_info', asked)
    expect(claims).toMatchObject({ sub: op.sub, ...op.user })
    await this.accepts()
    return data
  }
}

/** Fails if a line of a daemon's log holds anything that the OP gave out. */
export function expectNoSecrets(log: readonly object[], ...ops: BentOp[]): void {
  const text = JSON.stringify(log)
  for (const secret of ops.flatMap((op) => op.secrets)) expect(text).not.toContain(secret)
}
