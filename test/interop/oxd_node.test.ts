/** oxd-node 3.1.4 as it is on npm: each command over a connection of its own, its whole configuration in the parameters. */
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Op } from '../../demosite/src/op.js'
import type { TestDaemon } from '../support/daemon.js'
import { EndUser } from '../support/end_user.js'
import { installOxdNode, NodeClient } from '../support/oxd/node_client.js'
import { realmAt, startOxdDaemon } from '../support/oxd/oxd_daemon.js'
import { clientOf, startOxdOp } from '../support/oxd/oxd_op.js'

const MINUTE = 60_000

/** Of the listener of the realm that protects its commands. */
const GUARDED = 2

const text = expect.stringMatching(/./)
const an_hour = expect.closeTo(3600, -2)

const folder = mkdtempSync(join(tmpdir(), 'relyd-oxd-node-'))
let op: Op
let daemon: TestDaemon

beforeAll(async () => {
  await installOxdNode(folder)
  op = await startOxdOp()
  daemon = await startOxdDaemon({
    sections: realmAt('guarded', '3.1', 'protect_commands_with_access_token = yes'),
  })
}, MINUTE)

afterAll(async () => {
  await daemon?.[Symbol.asyncDispose]()
  await op?.close()
  rmSync(folder, { recursive: true, force: true })
})

const website = (port = daemon.port, host = 'localhost') => new NodeClient(folder, { host, port })

const settings = () => ({
  op_host: op.issuer,
  authorization_redirect_uri: 'https://site.example/callback',
  post_logout_redirect_uri: 'https://site.example/bye',
  client_name: 'Shop',
  scope: ['openid', 'profile', 'email'],
  grant_types: ['authorization_code', 'refresh_token'],
})

async function logIn(site: NodeClient, of: object): Promise<{ code: string; state: string }> {
  const { authorization_url } = await site.ok('get_authorization_url', of)
  const { searchParams } = new URL(await new EndUser().logIn(authorization_url))
  return { code: String(searchParams.get('code')), state: String(searchParams.get('state')) }
}

/** From the login to the removal. @param of what each command of the site's brings along */
async function live(site: NodeClient, of: { oxd_id: string }): Promise<void> {
  const { authorization_url } = await site.ok('get_authorization_url', of)
  const tokens = await site.ok('get_tokens_by_code', { ...of, ...(await logIn(site, of)) })
  expect(tokens).toMatchObject({
    access_token: text,
    refresh_token: text,
    id_token: text,
    expires_in: an_hour,
    id_token_claims: { sub: ['alice'], iss: [op.issuer] },
  })
  const { access_token, refresh_token, id_token } = tokens
  const { claims } = await site.ok('get_user_info', { ...of, access_token })
  expect(claims).toMatchObject({ sub: ['alice'], name: ['Alice Ångström'] })
  expect(await site.ok('introspect_access_token', { ...of, access_token })).toMatchObject({
    active: true,
    sub: 'alice',
  })
  const refreshed = await site.ok('get_access_token_by_refresh_token', { ...of, refresh_token })
  expect(refreshed).toMatchObject({ access_token: text, expires_in: an_hour, refresh_token: text })
  const { uri } = await site.ok('get_logout_uri', {
    ...of,
    // An ID Token of the OP's with its claims may be too long for this client.
    ...(id_token.length < 600 && { id_token_hint: id_token }),
  })
  expect(uri).toContain(`${op.issuer}/session/end?`)
  expect((await fetch(uri)).status).toBe(200)
  await site.ok('update_site', { ...of, ...settings(), client_name: 'Store' })
  expect(await clientOf(op, authorization_url)).toMatchObject({ client_name: 'Store' })
  expect(await site.ok('remove_site', of)).toMatchObject({ oxd_id: of.oxd_id })
  expect(await clientOf(op, authorization_url)).toBeUndefined()
}

test('a site from its registration to its removal', async () => {
  await using site = website()
  const { oxd_id } = await site.ok('register_site', settings())
  await live(site, { oxd_id })
})

test('a site from setup_client to its removal, behind protection', async () => {
  await using site = website(daemon.portOf(GUARDED))
  const setup = await site.ok('setup_client', { ...settings(), setup_client_name: 'Setup' })
  const { oxd_id, client_id, client_secret } = setup
  expect((await site.call('get_authorization_url', { oxd_id })).data).toMatchObject({
    error: 'blank_protection_access_token',
    error_description: text,
  })
  const { access_token } = await site.ok('get_client_token', {
    op_host: op.issuer,
    client_id,
    client_secret,
    scope: ['openid', 'oxd'],
  })
  await live(site, { oxd_id, protection_access_token: access_token } as { oxd_id: string })
})

test('refusals come as its response', async () => {
  await using site = website()
  expect(await site.call('get_user_info', { oxd_id: null, access_token: 'x' })).toMatchObject({
    status: 'error',
    data: { error: 'bad_request', error_description: text },
  })
})

test('trap 20: a request of more than 999 characters never leaves the client, and the daemon is fine', async () => {
  await using relay = await recordingRelay(daemon.port)
  let unanswered: Promise<unknown>
  {
    await using site = website(relay.port, '127.0.0.1')
    const claim = { ...settings(), client_name: 'x'.repeat(1000) }
    unanswered = site.call('register_site', claim)
    unanswered.catch(() => {})
    await relay.connected
    // Sent when the first had its turn; on the daemon's side the first is still open.
    const { oxd_id } = await site.ok('register_site', settings())
    await site.ok('get_authorization_url', { oxd_id })
  }
  await expect(unanswered).rejects.toThrow('oxd-node ended')
  await relay.closed
  const [first, ...others] = relay.received
  expect(first).toBe('')
  expect(others).toEqual([
    expect.stringMatching(/^0\d{3}\{.*register_site/),
    expect.stringMatching(/^0\d{3}\{.*get_authorization_url/),
  ])
  await using after = website()
  expect((await after.call('get_user_info')).status).toBe('error')
})

/** Passes connections on, and keeps what came over each. */
async function recordingRelay(port: number) {
  const received: string[] = []
  const ends: Promise<unknown>[] = []
  const server = createServer((client) => {
    const nth = received.push('') - 1
    const daemon = connect({ host: '127.0.0.1', port })
    client.on('data', (bytes) => {
      received[nth] += bytes.toString()
    })
    for (const one of [client, daemon]) one.on('error', () => one.destroy())
    ends.push(once(client, 'close'))
    client.pipe(daemon).pipe(client)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    received,
    connected: once(server, 'connection'),
    get closed() {
      return Promise.all(ends)
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(ends)
      server.close()
    },
  }
}
