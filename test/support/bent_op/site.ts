/** A site that logs in at a bent OP, and what must hold when it is refused. */
import { expect } from 'vitest'
import type { Reply, Wire } from '../wire.js'
import type { BentOp } from './op.js'
import type { Bends, Calls, Members } from './types.js'

/** What a login that must fail is expected to come to. */
export interface Refused {
  error: string
  /** Members that `details` must have among others. */
  details?: Members
  /** What the OP was asked from the callback on; unless said otherwise, its token endpoint once. */
  calls?: Calls
  /** False where the callback was refused before the login was taken. */
  spent?: false
  /** What the OP is asked in the honest login that follows, if not token endpoint and UserInfo once. */
  next?: Calls
}

export interface BentLogin {
  bends?: Bends
  /** Changes the authorization response's parameters. */
  callback?: (response: URLSearchParams) => void
  /** Parameters of get_authorization_url beside oxd_id. */
  request?: object
}

/** A site registered at a bent OP, with what a conformance row has to show. */
export class BentSite {
  readonly wire: Wire
  readonly op: BentOp
  readonly oxd_id: string

  constructor(wire: Wire, op: BentOp, oxd_id: string) {
    this.wire = wire
    this.op = op
    this.oxd_id = oxd_id
  }

  /** Registers dynamically, or with the client that `params` name. */
  static async register(wire: Wire, op: BentOp, params: object = {}): Promise<BentSite> {
    const { oxd_id } = await wire.ok('register_site', {
      op_host: op.issuer,
      authorization_redirect_uri: 'https://site.example/callback',
      ...params,
    })
    return new BentSite(wire, op, oxd_id)
  }

  /** Starts a login and lets the End-User agree. @returns the parameters that complete it */
  async begin({ callback, request }: BentLogin = {}): Promise<{
    oxd_id: string
    callback: string
    binding: string
  }> {
    const { oxd_id } = this
    const login = await this.wire.ok('get_authorization_url', { oxd_id, ...request })
    return {
      oxd_id,
      callback: this.op.authorize(login.authorization_url, callback),
      binding: login.binding,
    }
  }

  /** A login with the OP bent from the callback on. @returns the reply, whichever it is */
  async attempt(login: BentLogin = {}): Promise<Reply> {
    const begun = await this.begin(login)
    this.op.bend(login.bends ?? {})
    const reply = await this.wire.call('get_tokens_by_callback', begun)
    this.op.straighten()
    return reply
  }

  /**
   * A login that succeeds and whose session works.
   *
   * @param calls what the OP is asked; unless said otherwise, token endpoint and UserInfo once each
   */
  async accepts(
    login: BentLogin = {},
    calls: Calls = { token: 1, userinfo: 1 },
  ): Promise<Reply['data']> {
    const start = this.op.asked.length
    const { status, data } = await this.attempt(login)
    expect({ status, data }).toMatchObject({ status: 'ok', data: { sub: this.op.sub } })
    const { oxd_id } = this
    const { claims } = await this.wire.ok('get_user_info', { oxd_id, session_id: data.session_id })
    expect(claims).toMatchObject({ sub: this.op.sub })
    expect(this.op.calls(start)).toEqual(calls)
    return data
  }

  /**
   * A login that fails with this error for good: nothing beyond `calls` is asked of the OP, no
   * session or token comes out, the same callback does not work later, and an honest login does.
   */
  async refuses(login: BentLogin, refused: Refused): Promise<Reply['data']> {
    const { op, wire, oxd_id } = this
    const { error, details, calls = { token: 1 }, spent = true } = refused
    const begun = await this.begin(login)
    const secrets = op.secrets.length
    const tokens = op.access_tokens.length
    const start = op.asked.length

    op.bend(login.bends ?? {})
    const { status, data } = await wire.call('get_tokens_by_callback', begun)
    op.straighten()
    expect({ status, data }).toMatchObject({
      status: 'error',
      data: { error, retryable: false, ...(details && { details }) },
    })
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
    await this.accepts({}, refused.next)
    return data
  }
}

/** Fails if a line of a daemon's log holds anything that the OP gave out. */
export function expectNoSecrets(log: readonly object[], ...ops: BentOp[]): void {
  const text = JSON.stringify(log)
  for (const secret of ops.flatMap((op) => op.secrets)) expect(text).not.toContain(secret)
}
