/** What may be said of a site when it is added and changed: by the operator, and of a client that nobody registers. */
import { createHmac } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { claimOfKey } from '../../daemon/src/registrations.js'
import { BentOp, BentSite } from '../support/bent_op/index.js'
import { relyd } from '../support/cli.js'
import { TestDaemon } from '../support/daemon.js'
import { Wire } from '../support/wire.js'

const redirect_uri = 'https://shop.example/callback'
const client_secret = 'marker secret of the operator, long enough'

let op: BentOp
let daemon: TestDaemon
let admin: Wire
let wire: Wire

beforeAll(async () => {
  const token_endpoint_auth_methods_supported = ['client_secret_basic', 'private_key_jwt']
  op = await BentOp.start({ metadata: { token_endpoint_auth_methods_supported } })
  daemon = await TestDaemon.start()
  admin = await Wire.connect(daemon.admin_socket)
  wire = await Wire.connect(daemon.socket)
  op.addClient({
    client_id: 'issued',
    client_secret,
    token_endpoint_auth_method: 'client_secret_basic',
    redirect_uris: ['https://site.example/callback', redirect_uri],
  })
})

afterAll(async () => {
  admin[Symbol.dispose]()
  wire[Symbol.dispose]()
  await daemon[Symbol.asyncDispose]()
  await op[Symbol.asyncDispose]()
})

const run = (...args: string[]) => relyd(['sites', ...args, '--config', daemon.config])

/** The path of a file of client metadata. */
function fileOf(members: object): string {
  const path = join(daemon.folder, 'metadata.json')
  writeFileSync(path, JSON.stringify(members))
  return path
}

/** What means nothing for a client that its OP's operator issued. */
const of_no_use = [
  { token_endpoint_auth_method: 'client_secret_post' },
  { contacts: ['a@site.example'] },
  { logo_uri: 'junk' },
  { jwks_uri: 'ftp://site.example/jwks' },
  { id_token_signed_response_alg: 'none' },
  { id_token_encrypted_response_alg: 'RSA-OAEP-256' },
  { userinfo_encrypted_response_enc: 'A128GCM' },
]

describe('a client that nobody registers', () => {
  test.each([...of_no_use, { initial_access_token: 'abc' }, { unset: ['contacts'] }])(
    'is not changed by its site with %o',
    async (change) => {
      const site = await BentSite.register(wire, op, { client_id: 'issued', client_secret })
      const { oxd_id } = site
      const refused = await wire.refused('update_site', { oxd_id, ...change })
      const [name] = 'unset' in change ? change.unset : Object.keys(change)
      expect(refused).toMatchObject({ error: 'invalid_request', details: { field: name } })
      await wire.ok('update_site', { oxd_id, userinfo_signed_response_alg: 'RS256' })
      await wire.ok('update_site', { oxd_id, unset: ['userinfo_signed_response_alg'] })
      await site.accepts()
    },
  )

  test.each(of_no_use.slice(1))(
    'is not added or changed by the operator with %o',
    async (change) => {
      const params = { op_host: op.issuer, client_id: 'issued', client_secret }
      const [field] = Object.keys(change)
      const refusal = { error: 'invalid_request', details: { field } }
      const added = { ...params, name: 'added', redirect_uris: [redirect_uri] }
      expect(await admin.refused('add_site', { ...added, ...change })).toMatchObject(refusal)
      await admin.ok('add_site', added)
      expect(await admin.refused('update_site', { site: 'added', ...change })).toMatchObject(
        refusal,
      )
      await admin.ok('update_site', { site: 'added', userinfo_signed_response_alg: 'RS256' })
      await admin.ok('update_site', { site: 'added', unset: ['userinfo_signed_response_alg'] })
      await admin.ok('remove_site', { site: 'added' })
    },
  )
})

describe('the operator says of a client that relyd registers', () => {
  const words = ['--redirect-uri', redirect_uri]

  test('how it authenticates', async () => {
    const op_host = ['--op', op.issuer]
    const made = await run(
      'add',
      'keyed',
      ...op_host,
      ...words,
      '--auth-method',
      'private_key_jwt',
      '--signing-alg',
      'ES256',
      '--json',
    )
    expect(made).toMatchObject({ status: 0, stderr: '' })
    expect(JSON.parse(made.stdout)).toMatchObject({
      auth_method: 'private_key_jwt',
      client_metadata: { token_endpoint_auth_signing_alg: 'ES256' },
    })
    const again = await run(
      'add',
      'keyed',
      ...op_host,
      ...words,
      '--auth-method',
      'private_key_jwt',
      '--signing-alg',
      'ES256',
    )
    expect(again.stdout).toContain('There already is')
    expect(again.stdout).toContain('relyd registered the client')
    expect(again.stdout).not.toContain('must have')
    const changed = await admin.ok('update_site', {
      site: 'keyed',
      auth_method: 'client_secret_basic',
    })
    expect(changed.auth_method).toBe('client_secret_basic')
    const other = { name: 'other', op_host: op.issuer, redirect_uris: [redirect_uri] }
    for (const auth_method of ['tls_client_auth', 'assertion_file', 'apple']) {
      expect(await admin.refused('add_site', { ...other, auth_method })).toMatchObject({
        error: 'invalid_request',
        details: { field: 'auth_method' },
        error_description: expect.stringContaining('client_secret_basic'),
      })
    }
    await admin.ok('remove_site', { site: 'keyed' })
  })

  test('its metadata, shows it and takes it away', async () => {
    const path = fileOf({ contacts: ['a@shop.example'], id_token_signed_response_alg: 'RS256' })
    await run('add', 'meta', '--op', op.issuer, ...words, '--client-metadata', path)
    const shown = await run('show', 'meta')
    expect(shown.stdout).toMatch(/^id_token_signed_response_alg +RS256$/m)
    expect(shown.stdout).toMatch(/^contacts +a@shop\.example$/m)
    const empty = await run('update', 'meta', '--client-metadata', fileOf({ contacts: [] }))
    expect(empty.status).not.toBe(0)
    expect(empty.stderr).toMatch(/contacts is empty; .*unset/)
    const unset = await run('update', 'meta', '--unset', 'contacts')
    expect(unset).toMatchObject({ status: 0, stderr: '' })
    expect(await admin.ok('show_site', { site: 'meta' })).not.toMatchObject({
      client_metadata: { contacts: expect.anything() },
    })
    await admin.ok('remove_site', { site: 'meta' })
  })
})

test('update_site answers the redirect URI that it made of {op}', async () => {
  const { oxd_id } = await BentSite.register(wire, op)
  const given = 'https://site.example/{op}/callback'
  const { authorization_redirect_uri: made } = await wire.ok('update_site', {
    oxd_id,
    authorization_redirect_uri: given,
  })
  expect(made).toMatch(/^https:\/\/site\.example\/[\w-]{16}\/callback$/)
  expect((await wire.ok('get_site', { oxd_id })).authorization_redirect_uri).toBe(made)
})

describe('one key stands for the same parameters', () => {
  const hash = (asked: object) => claimOfKey('key', asked).params_hash.toString('hex')

  test('in whatever order', () => {
    expect(hash({ a: { b: 1, c: [{ d: 1, e: 2 }] } })).toBe(
      hash({ a: { c: [{ e: 2, d: 1 }], b: 1 } }),
    )
    expect(hash({ a: ['b', 'c'] })).not.toBe(hash({ a: ['c', 'b'] }))
  })

  test('as an earlier relyd hashed them, under the name that one of them had', () => {
    const rest = { authorization_redirect_uri: redirect_uri, contacts: ['a', 'b'] }
    const before = {
      authorization_redirect_uri: redirect_uri,
      client_token_endpoint_auth_method: 'client_secret_post',
      contacts: ['a', 'b'],
    }
    const stored = createHmac('sha256', 'key').update(JSON.stringify(before)).digest('hex')
    expect(hash({ token_endpoint_auth_method: 'client_secret_post', ...rest })).toBe(stored)
  })
})
