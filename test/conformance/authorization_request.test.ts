/** What a login asks of an OP, as the browser brings it there (OIDC Core 3.1.2.1). */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { BentOp, BentSite } from '../support/bent_op/index.js'
import { TestDaemon } from '../support/daemon.js'
import { Wire } from '../support/wire.js'

let daemon: TestDaemon
let wire: Wire
let op: BentOp
let site: BentSite

beforeAll(async () => {
  op = await BentOp.start()
  daemon = await TestDaemon.start()
  wire = await Wire.connect(daemon.socket)
  site = await BentSite.register(wire, op)
})

afterAll(async () => {
  wire[Symbol.dispose]()
  await daemon[Symbol.asyncDispose]()
  await op[Symbol.asyncDispose]()
})

test('P15 C9 one login with every parameter of OIDC Core', async () => {
  const { id_token } = await site.accepts()
  const claims = { userinfo: { name: { essential: true } }, id_token: { auth_time: null } }
  const registration = { client_name: 'Shop', logo_uri: 'https://site.example/logo.png' }
  await site.accepts({
    request: {
      scope: ['openid', 'profile', 'email', 'phone', 'address'],
      display: 'popup',
      prompt: 'login consent',
      max_age: 300,
      ui_locales: ['de-CH', 'de'],
      claims_locales: ['de', 'en'],
      login_hint: 'alice@op.example',
      id_token_hint: id_token,
      acr_values: ['gold', 'silver'],
      claims,
      registration,
    },
  })
  const asked = Object.fromEntries(op.authorizations.at(-1) as URLSearchParams)
  const [{ client_id } = { client_id: '' }] = op.clients.values()
  expect(asked).toEqual({
    client_id,
    redirect_uri: 'https://site.example/callback',
    response_type: 'code',
    state: expect.stringMatching(/^[\w-]{32}$/),
    nonce: expect.stringMatching(/^[\w-]{32}$/),
    code_challenge: expect.stringMatching(/^[\w-]{43}$/),
    code_challenge_method: 'S256',
    scope: 'openid profile email phone address',
    display: 'popup',
    prompt: 'login consent',
    max_age: '300',
    ui_locales: 'de-CH de',
    claims_locales: 'de en',
    login_hint: 'alice@op.example',
    id_token_hint: id_token,
    acr_values: 'gold silver',
    claims: expect.any(String),
    registration: JSON.stringify(registration),
  })
  // What is held against the answer is asked for as essential.
  expect(JSON.parse(asked['claims'] as string)).toMatchObject(claims)
})

test('S40 state, nonce and code_verifier: of 128 bits and more, never the same', async () => {
  const { oxd_id } = site
  const urls: URLSearchParams[] = []
  for (let round = 0; round < 15; round += 1) {
    const start = () => wire.ok('get_authorization_url', { oxd_id })
    const logins = await Promise.all(Array.from({ length: 200 }, start))
    urls.push(...logins.map((login) => new URL(login.authorization_url).searchParams))
  }
  // 22 characters of base64url hold 128 bits; S256 of a code_verifier has 43.
  for (const [name, length] of [
    ['state', 32],
    ['nonce', 32],
    ['code_challenge', 43],
  ] as const) {
    const values = urls.map((url) => url.get(name) as string)
    expect(new Set(values).size, name).toBe(3000)
    for (const value of values) expect(value).toMatch(new RegExp(`^[\\w-]{${length}}$`))
  }
  const session_ids = new Set<string>()
  const verifiers = new Set<string | null>()
  for (let login = 0; login < 20; login += 1) {
    const { session_id } = await site.accepts()
    session_ids.add(session_id)
    const verifier = new URLSearchParams(op.last('token').body).get('code_verifier')
    // RFC 7636 7.1: 256 bits.
    expect(verifier).toMatch(/^[\w-]{43}$/)
    verifiers.add(verifier)
    expect(session_id).toMatch(/^[\w-]{32}$/)
  }
  expect([session_ids.size, verifiers.size]).toEqual([20, 20])
})
