/**
 * Logins against oidc-provider with all that it offers: client authentication, signing algorithm,
 * encryption, response type, response mode and form of UserInfo, each pair of them in some login.
 */
import { decodeProtectedHeader } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { TestDaemon } from '../support/daemon.js'
import { EndUser } from '../support/end_user.js'
import { type Cell, cellsOf, designOf, refused } from '../support/matrix/cells.js'
import { startMatrixOp } from '../support/matrix/op.js'
import { matrixPage } from '../support/matrix/page.js'
import { feasiblePairs, nameOf, pairsOf } from '../support/matrix/pairwise.js'
import { Wire } from '../support/wire.js'

// Before the tests are told apart: they are of what it offers.
const op = await startMatrixOp()
const cells = cellsOf(op.offer)
const site = {
  op_host: op.issuer,
  // Never asked: the End-User stops there.
  authorization_redirect_uri: 'https://site.example/callback',
}

let daemon: TestDaemon
let wire: Wire
/** Browsers that nobody uses now: one at a time, as each has one set of cookies. */
const browsers: EndUser[] = []

beforeAll(async () => {
  daemon = await TestDaemon.start({
    sections:
      '[realm default]\nfront_channel_access_tokens = yes\nregistrations_per_minute = 100000\nsites = 1000000\n',
  })
  wire = await Wire.connect(daemon.socket)
})

afterAll(async () => {
  wire[Symbol.dispose]()
  await daemon[Symbol.asyncDispose]()
  await op.close()
})

/** Each cell is of the first of these that it fits. */
const kinds: [name: string, holds: (wishes: Cell['wishes']) => boolean][] = [
  [
    'P26 rp-id_token-sig+enc-a128kw: an ID Token encrypted with the client_secret',
    ({ id_token_encrypted_response_alg: alg = '' }) => /^(A|dir)/.test(alg),
  ],
  [
    'P26 rp-id_token-sig+enc: an ID Token encrypted to a key of the site',
    ({ id_token_encrypted_response_alg: alg }) => alg !== undefined,
  ],
  [
    'P26 rp-userinfo-sig+enc: encrypted UserInfo',
    ({ userinfo_encrypted_response_alg: alg }) => alg !== undefined,
  ],
  [
    'rp-id_token-sig-hs256: an ID Token signed with the client_secret',
    ({ id_token_signed_response_alg: alg = '' }) => alg.startsWith('HS'),
  ],
  ['P13 P22 P33: a signed ID Token', () => true],
]

describe.concurrent.each(kinds)('%s', (kind) => {
  const own = cells.filter(({ wishes }) => kinds.find(([, holds]) => holds(wishes))?.[0] === kind)
  test.each(own.map((cell) => [cell.name, cell] as const))('%s', (_, cell) => logIn(cell))
})

test('each pair of values that go together is in some login', () => {
  const design = designOf(op.offer)
  const covered = new Set(cells.flatMap(({ row }) => pairsOf(design, row)).map(nameOf))
  const missing = feasiblePairs(design).filter((pair) => !covered.has(nameOf(pair)))
  expect(missing).toEqual([])
  for (const { row } of cells) expect(design.allows(row)).toBe(true)
})

test('each algorithm that the OP offers is in some login', () => {
  const asked = cells.map(({ wishes }) => wishes)
  const offered: [list: readonly string[], name: string][] = [
    [op.offer.token_endpoint_auth_signing_alg_values_supported, 'token_endpoint_auth_signing_alg'],
    [op.offer.userinfo_signing_alg_values_supported, 'userinfo_signed_response_alg'],
    [op.offer.userinfo_encryption_alg_values_supported, 'userinfo_encrypted_response_alg'],
    [op.offer.userinfo_encryption_enc_values_supported, 'userinfo_encrypted_response_enc'],
  ]
  for (const [list, name] of offered) {
    expect([...new Set(asked.flatMap((wishes) => wishes[name] ?? []))].sort()).toEqual(
      [...list].sort(),
    )
  }
})

test.each(refused)('refuses $field $value, though the OP offers it: it $reason', async (one) => {
  expect(op.offer[one.offered]).toContain(one.value)
  expect(await wire.refused('register_site', { ...site, [one.field]: one.value })).toMatchObject({
    error: 'invalid_request',
    details: { field: one.field },
  })
})

test('ID Tokens without signature: refused, and not offered by this OP', async () => {
  expect(op.offer.id_token_signing_alg_values_supported).not.toContain('none')
  const wishes = { ...site, id_token_signed_response_alg: 'none' }
  expect(await wire.refused('register_site', wishes)).toMatchObject({
    error: 'invalid_request',
    details: { field: 'id_token_signed_response_alg' },
  })
})

test('docs/matrix.md is of these logins', async () => {
  await expect(matrixPage(op.offer, cells)).toMatchFileSnapshot('../../docs/matrix.md')
})

async function logIn({ response_type, response_mode, wishes }: Cell): Promise<void> {
  const brings = (what: string) => response_type.split(' ').includes(what)
  const scope = ['openid', 'profile', ...(brings('code') ? ['offline_access'] : [])]
  const { oxd_id } = await wire.ok('register_site', { ...site, ...wishes, scope })
  const { client_id } = await wire.ok('get_site', { oxd_id })
  await expectRegistered(client_id, wishes)

  const login = await wire.ok('get_authorization_url', {
    oxd_id,
    // OIDC Core 11: without it there is no offline access.
    ...(brings('code') && { prompt: 'consent' }),
  })
  const callback = await browse(login.authorization_url)
  const at = site.authorization_redirect_uri
  expect(callback).toMatch(
    { query: /^https:.*\?[^#]*$/, fragment: /^https:[^?]*#/, form_post: /^[^:?#]+=/ }[
      response_mode
    ] ?? /never/,
  )
  expect(callback.startsWith(at)).toBe(response_mode !== 'form_post')

  const { binding } = login
  const data = await wire.ok('get_tokens_by_callback', { oxd_id, callback, binding })
  expect(data).toMatchObject({ sub: 'alice', issuer: op.issuer })
  expect(decodeProtectedHeader(data.id_token)).toMatchObject({
    alg: wishes['id_token_signed_response_alg'],
  })
  if (!brings('code') && !brings('token')) return

  await expectUserInfo(oxd_id, data.session_id)
  if (!brings('code')) return
  const { access_token, refresh_token } = data
  const refreshed = await wire.ok('get_access_token_by_refresh_token', { oxd_id, refresh_token })
  expect(refreshed.access_token).not.toBe(access_token)
  await expectUserInfo(oxd_id, data.session_id)
}

/** That the OP was asked for what the site wishes, and will do so. */
async function expectRegistered(client_id: string, wishes: Cell['wishes']): Promise<void> {
  const client = await op.provider.Client.find(client_id)
  const { response_type, response_mode: _, ...members } = wishes
  const { response_types, ...registered } = client?.metadata() ?? {}
  expect(registered).toMatchObject(members)
  expect(response_types?.map((type) => type.split(' ').sort())).toEqual([
    response_type?.split(' ').sort(),
  ])
}

async function expectUserInfo(oxd_id: string, session_id: string): Promise<void> {
  const { claims } = await wire.ok('get_user_info', { oxd_id, session_id })
  expect(claims).toMatchObject({ sub: 'alice', name: 'Alice Ångström' })
}

async function browse(authorization_url: string): Promise<string> {
  const browser = browsers.pop() ?? new EndUser()
  try {
    return await browser.logIn(authorization_url)
  } finally {
    browsers.push(browser)
  }
}
