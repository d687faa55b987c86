/** What a site does by each of oxd's commands, in the order of its life, whatever library carries it. */
import { expect } from 'vitest'
import type { oxdCommands } from '../../../daemon/src/oxd/commands/index.js'
import type { Op } from '../../../demosite/src/op.js'
import { EndUser } from '../end_user.js'
import type { OxdClient } from './clients/index.js'
import { clientOf } from './oxd_op.js'
import type { OxdReply } from './oxd_wire.js'

const text = expect.stringMatching(/./)
const an_hour = expect.closeTo(3600, -2)

/** A site and the library that it talks through. */
export class OxdSite {
  readonly #client: OxdClient
  readonly op: Op
  oxd_id = ''
  /** Its latest login's. */
  authorization_url = ''
  tokens: Record<'access_token' | 'refresh_token' | 'id_token', string> = {
    access_token: '',
    refresh_token: '',
    id_token: '',
  }
  setup: Record<'client_id' | 'client_secret', string> = { client_id: '', client_secret: '' }

  constructor(client: OxdClient, op: Op) {
    this.#client = client
    this.op = op
  }

  async ok(command: string, params: object): Promise<OxdReply['data']> {
    const { status, data } = await this.#client.request(command, params)
    if (status === 'ok') return data
    throw new Error(`${command}: ${data.error}: ${data.error_description}`)
  }

  /** @returns the code, with what every library wants beside it */
  async refused(command: string, params: object): Promise<string> {
    const { status, data } = await this.#client.request(command, params)
    expect({ command, status, ...data }).toMatchObject({
      command,
      status: 'error',
      error_description: text,
    })
    return data.error
  }

  get settings() {
    return {
      op_host: this.op.issuer,
      authorization_redirect_uri: 'https://site.example/callback',
      post_logout_redirect_uri: 'https://site.example/bye',
      client_name: 'Größe',
      scope: ['openid', 'profile', 'email'],
      grant_types: ['authorization_code', 'refresh_token'],
    }
  }

  get id() {
    return { oxd_id: this.oxd_id }
  }

  /** @returns what the End-User brings back */
  async logIn(): Promise<{ code: string; state: string }> {
    const { authorization_url } = await this.ok('get_authorization_url', this.id)
    this.authorization_url = authorization_url
    const { searchParams } = new URL(await new EndUser().logIn(authorization_url))
    return { code: String(searchParams.get('code')), state: String(searchParams.get('state')) }
  }
}

/** @param name the command's, or another of its names */
type Step = (site: OxdSite, name: string) => Promise<void>

/** A command of passwords, which relyd takes from nobody. */
const ofPasswords: Step = async (site, name) => {
  const params = { ...site.id, username: 'alice', password: 'wonderland', user_id: 'alice' }
  expect(await site.refused(name, params)).toBe('unsupported_operation')
}

/** @param error what says that there is no UMA, to who asks properly */
const withoutUma =
  (params: object, error = 'no_uma_discovery_response'): Step =>
  async (site, name) => {
    expect(await site.refused(name, { ...site.id, ...params })).toBe(error)
  }

/** One for each command, in the order of a site's life. */
export const steps: Record<keyof typeof oxdCommands, Step> = {
  async license_status(site, name) {
    expect(await site.ok(name, {})).toMatchObject({ valid: true })
  },

  async register_site(site, name) {
    const { oxd_id, op_host } = await site.ok(name, site.settings)
    expect(op_host).toBe(site.op.issuer)
    site.oxd_id = oxd_id
  },

  async get_rp(site, name) {
    const { node } = await site.ok(name, site.id)
    expect(node).toMatchObject({ oxd_id: site.oxd_id })
  },

  async get_authorization_url(site, name) {
    const { authorization_url } = await site.ok(name, {
      ...site.id,
      acr_values: ['urn:gold'],
      prompt: 'login',
      custom_parameters: { ui_theme: 'dunkelgrün' },
    })
    const { searchParams } = new URL(authorization_url)
    expect(Object.fromEntries(searchParams)).toMatchObject({
      acr_values: 'urn:gold',
      ui_theme: 'dunkelgrün',
    })
    expect(await clientOf(site.op, authorization_url)).toMatchObject({ client_name: 'Größe' })
  },

  async validate(site, name) {
    expect(await site.ok(name, { ...site.id, ...(await site.logIn()) })).toBeNull()
    const unknown = { ...site.id, code: 'x', state: 'y' }
    expect(await site.refused(name, unknown)).toBe('invalid_state')
  },

  async get_tokens_by_code(site, name) {
    const params = { ...site.id, ...(await site.logIn()) }
    site.tokens = await site.ok(name, params)
    expect(site.tokens).toMatchObject({
      access_token: text,
      refresh_token: text,
      id_token: text,
      expires_in: an_hour,
      id_token_claims: { iss: [site.op.issuer], sub: ['alice'] },
    })
    expect(await site.refused(name, params)).toBe('bad_request')
  },

  async get_user_info(site, name) {
    const { access_token } = site.tokens
    const { claims } = await site.ok(name, { ...site.id, access_token })
    expect(claims).toMatchObject({ sub: ['alice'], name: ['Alice Ångström'] })
  },

  async introspect_access_token(site, name) {
    const { access_token } = site.tokens
    const told = await site.ok(name, { ...site.id, access_token })
    expect(told).toMatchObject({ active: true, sub: 'alice' })
    const forged = await site.ok(name, { ...site.id, access_token: 'forged' })
    expect(forged).toMatchObject({ active: false, sub: null })
  },

  async id_token_status(site, name) {
    const { id_token } = site.tokens
    const told = await site.ok(name, { ...site.id, id_token })
    expect(told).toMatchObject({ active: true, claims: { sub: ['alice'] } })
    expect(await site.ok(name, { ...site.id, id_token: 'forged' })).toMatchObject({ active: false })
  },

  async access_token_status(site, name) {
    const { id_token, access_token } = site.tokens
    expect(await site.ok(name, { ...site.id, id_token, access_token })).toMatchObject({
      active: true,
      expires_at: expect.any(Number),
    })
    const forged = { ...site.id, id_token, access_token: 'forged' }
    expect(await site.ok(name, forged)).toMatchObject({ active: false })
  },

  async get_access_token_by_refresh_token(site, name) {
    const { refresh_token } = site.tokens
    const refreshed = await site.ok(name, { ...site.id, refresh_token })
    expect(refreshed).toMatchObject({ access_token: text, expires_in: an_hour })
    expect(refreshed.access_token).not.toBe(site.tokens.access_token)
  },

  async get_logout_uri(site, name) {
    const { uri } = await site.ok(name, { ...site.id, state: 'of mine' })
    const { origin, searchParams } = new URL(uri)
    expect(origin).toBe(site.op.issuer)
    expect(searchParams.get('state')).toBe('of mine')
    expect((await fetch(uri)).status).toBe(200)
  },

  get_authorization_code: ofPasswords,
  authorization_code_flow: ofPasswords,
  implicit_flow: ofPasswords,

  uma_rs_protect: withoutUma({
    resources: [{ path: '/photo', conditions: [{ httpMethods: ['GET'], scopes: ['view'] }] }],
  }),
  uma_rs_check_access: withoutUma({ rpt: '', path: '/photo', http_method: 'GET' }),
  uma_rp_get_rpt: withoutUma({ ticket: 'a ticket' }, 'internal_error'),
  uma_rp_get_claims_gathering_url: withoutUma({
    ticket: 'a ticket',
    claims_redirect_uri: 'https://site.example/claims',
  }),
  introspect_rpt: withoutUma({ rpt: 'an RPT' }),
  uma_rp_authorize_rpt: withoutUma({ rpt: 'an RPT', ticket: 'x' }, 'unsupported_operation'),
  uma_rp_get_gat: withoutUma({ scopes: ['view'] }, 'unsupported_operation'),

  async setup_client(site, name) {
    site.setup = await site.ok(name, site.settings)
    expect(site.setup).toMatchObject({
      oxd_id: text,
      setup_client_oxd_id: text,
      client_id: text,
      client_secret: text,
    })
  },

  async get_client_token(site, name) {
    const { client_id, client_secret } = site.setup
    const op_host = site.op.issuer
    const told = await site.ok(name, { op_host, client_id, client_secret, scope: ['openid'] })
    expect(told).toMatchObject({ access_token: text, expires_in: expect.any(Number) })
    const wrong = { op_host, client_id, client_secret: 'forged' }
    expect(await site.refused(name, wrong)).toMatch(/./)
  },

  async update_site(site, name) {
    await site.ok(name, { ...site.id, client_name: `by ${name}` })
    const { authorization_url } = site
    expect(await clientOf(site.op, authorization_url)).toMatchObject({ client_name: `by ${name}` })
  },

  async remove_site(site, name) {
    expect(await site.ok(name, site.id)).toEqual(site.id)
    expect(await clientOf(site.op, site.authorization_url)).toBeUndefined()
    expect(await site.refused('get_authorization_url', site.id)).toMatch(
      /^(bad_request|invalid_oxd_id)$/,
    )
  },
}
