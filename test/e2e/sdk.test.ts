/** The SDK on the built daemon: what a website notices of restarts, time limits and its own end. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Op, startOp } from '../../demosite/src/op.js'
import { Client, CommandError } from '../../sdk/src/index.js'
import { TestDaemon } from '../support/daemon.js'
import { EndUser } from '../support/end_user.js'

let op: Op
let daemon: TestDaemon
let client: Client

beforeAll(async () => {
  op = await startOp()
})

afterAll(() => op.close())

beforeEach(async () => {
  daemon = await TestDaemon.start()
  const cfg = join(daemon.folder, 'site.cfg')
  writeFileSync(
    cfg,
    `[oxd]\nsocket = ${daemon.socket}\n[client]\nop_host = ${op.issuer}\nauthorization_redirect_uri = http://site.example/callback\n`,
  )
  client = new Client(cfg)
})

afterEach(async () => {
  await client.close()
  await daemon[Symbol.asyncDispose]()
})

test('a login by the typed methods, and the site removed', async () => {
  const { authorization_url, set_cookie } = await client.getAuthorizationUrl({ scope: ['openid'] })
  const login = await client.getTokensByCallback({
    callback: await new EndUser().logIn(authorization_url),
    cookie: set_cookie.split(';', 1)[0],
  })
  expect(login.sub).toBe('alice')
  const { session_id } = login
  expect((await client.getUserInfo({ session_id })).claims).toEqual({ sub: 'alice' })
  expect((await client.getLogoutUri({ session_id })).uri).toContain('id_token_hint=')
  await expect(client.getUserInfo({ session_id })).rejects.toMatchObject({
    name: 'CommandError',
    code: 'invalid_session_id',
    command: 'get_user_info',
    retryable: false,
  })
  expect(await client.removeSite()).toMatchObject({ removed_at_op: true })
  // The next use registers anew.
  expect((await client.getSite()).issuer).toBe(op.issuer)
})

test('calls under way when the daemon restarts are answered by the next one', async () => {
  await client.registerSite()
  const calls = Array.from({ length: 500 }, () => client.getAuthorizationUrl())
  await calls[0]
  await daemon.stop()
  await daemon.start()
  const states = (await Promise.all(calls)).map(({ state }) => state)
  expect(new Set(states).size).toBe(500)
})

test('a killed daemon is waited for, and one that stays away is told of', async () => {
  await client.registerSite()
  await daemon.signal('SIGKILL')
  const calls = [client.ping(), client.getSite(), client.getAuthorizationUrl()]
  await daemon.start()
  await Promise.all(calls)
  await daemon.signal('SIGKILL')
  await expect(client.getAuthorizationUrl({}, { timeout_ms: 500 })).rejects.toMatchObject({
    code: 'ERR_UNREACHABLE',
    outcome: 'not_executed',
  })
  await daemon.start()
  await client.ping()
})

test('an error of the daemon carries its details', async () => {
  const refused = client.getAuthorizationUrl({ custom_parameters: { state: 'mine' } })
  await expect(refused).rejects.toBeInstanceOf(CommandError)
  await expect(refused).rejects.toMatchObject({
    code: 'invalid_request',
    details: { field: 'custom_parameters.state' },
  })
})

test('the id of another relyd, or of oxd, is told with its cure', async () => {
  const cfg = join(daemon.folder, 'old.cfg')
  writeFileSync(
    cfg,
    `[oxd]\nhost = localhost\nport = ${daemon.port}\nid = 6F9619FF-8B86-D011-B42D-00CF4FC964FF\n[client]\nop_host = ${op.issuer}\nauthorization_redirect_uri = http://site.example/callback\n`,
  )
  await using old = new Client(cfg)
  const refused = old.getAuthorizationUrl()
  await expect(refused).rejects.toMatchObject({ code: 'invalid_oxd_id', retryable: false })
  await expect(refused).rejects.toThrow(`take the value of "id" out of ${cfg}`)
})
