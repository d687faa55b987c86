/** A client that its OP issued, from the operator's hands to a login: its secret is in the store, sealed, and nowhere else. */
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { loadConfig } from '../../daemon/src/config/load.js'
import { openStore } from '../../daemon/src/store/open.js'
import { type Op, startOp } from '../../demosite/src/op.js'
import { Client, CommandError } from '../../sdk/src/index.js'
import { type Ended, relyd } from '../support/cli.js'
import { TestDaemon } from '../support/daemon.js'
import { EndUser } from '../support/end_user.js'
import { filesIn, processes, tracesOf } from '../support/traces.js'

const redirect_uri = 'http://shop.example/callback'
const after_logout = 'http://shop.example/'

/** Different in every encoding. */
const secret = `${randomBytes(24).toString('base64')}/+%&=?" ${randomBytes(9).toString('hex')}`
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
const private_jwk = privateKey.export({ format: 'jwk' }) as Record<string, string>

/** What the operator has, outside of the daemon's folder. */
let hands: string
let op: Op
let daemon: TestDaemon
/** All that the commands printed. */
const printed: [string, string][] = []
const clients: Client[] = []

beforeAll(async () => {
  hands = mkdtempSync(join(tmpdir(), 'relyd-operator-'))
  writeFileSync(join(hands, 'secret'), `${secret}\n`, { mode: 0o600 })
  writeFileSync(join(hands, 'key.pem'), pem, { mode: 0o600 })
  const common = {
    redirect_uris: [redirect_uri],
    post_logout_redirect_uris: [after_logout],
    response_types: ['code' as const],
  }
  const { n, e } = private_jwk
  const jwks = { keys: [{ kty: 'RSA', n, e, alg: 'RS256', use: 'sig', kid: 'shop-key' }] }
  op = await startOp({
    configuration: {
      clients: [
        { client_id: 'shop', client_secret: secret, ...common },
        {
          client_id: 'keyed',
          token_endpoint_auth_method: 'private_key_jwt',
          jwks: jwks as never,
          ...common,
        },
      ],
      // As at the big OPs: nobody registers by himself.
      features: { registration: { enabled: false }, registrationManagement: { enabled: false } },
      clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt'],
    },
  })
  daemon = await TestDaemon.start({ daemon: { log_level: 'trace' } })
})

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()))
})

afterAll(async () => {
  await daemon[Symbol.asyncDispose]()
  await op.close()
  rmSync(hands, { recursive: true })
})

async function run(...args: string[]): Promise<Ended> {
  const ended = await relyd([...args, '--config', daemon.config])
  printed.push([args.join(' '), ended.stdout + ended.stderr])
  return ended
}

function add(name: string, ...more: string[]): Promise<Ended> {
  const addresses = ['--redirect-uri', redirect_uri, '--post-logout-redirect-uri', after_logout]
  const owner = more.includes('--cfg') ? ['--cfg-owner', userInfo().username] : []
  return run('sites', 'add', name, '--op', op.issuer, ...addresses, ...owner, ...more)
}

function openSite(cfg: string): Client {
  const client = new Client(cfg, { env: {} })
  clients.push(client)
  return client
}

/** An End-User's whole login at the website of a cfg. */
async function logIn(cfg: string) {
  const client = openSite(cfg)
  const { authorization_url, binding } = await client.getAuthorizationUrl()
  const callback = await new EndUser().logIn(authorization_url)
  const { session_id } = await client.getTokensByCallback({ callback, binding })
  const { claims } = await client.getUserInfo({ session_id })
  return { client, session_id, claims }
}

/** Everything that is anywhere, but the operator's own folder. */
function everywhere(): (readonly [string, string | Buffer])[] {
  return [...filesIn(daemon.folder), ['log', daemon.output], ...printed, ...processes()]
}

/** One line alone: the website of this test has no TLS. */
const PLAIN = /^relyd: WARNING: logins come back to .* without TLS, .*\n$/

test('C2 P7 a client secret: added, used, and found nowhere', async () => {
  const cfg = join(daemon.folder, 'site.cfg')
  const file = join(hands, 'secret')
  const added = await add('shop', '--client-id', 'shop', '--client-secret-file', file, '--cfg', cfg)
  expect(added).toMatchObject({ status: 0, stderr: expect.stringMatching(PLAIN) })
  expect(added.stdout).toContain(`redirect URI              ${redirect_uri}\n`)
  expect(added.stdout).toContain(`post-logout redirect URI  ${after_logout}\n`)
  expect(statSync(cfg).mode & 0o777).toBe(0o640)
  const text = readFileSync(cfg, 'utf8')
  expect(text).toMatch(/\[oxd\]\nsocket = .+\nid = [0-9a-f-]{36}\n\n\[client\]\nop_host = /)

  const { client, session_id, claims } = await logIn(cfg)
  expect(claims['name']).toEqual(op.users[0]?.claims['name'])
  const { uri } = await client.getLogoutUri({ session_id })
  expect(new URL(uri).searchParams.get('post_logout_redirect_uri')).toBe(after_logout)
  expect(readFileSync(cfg, 'utf8')).toBe(text)

  const file_of_sites = join(daemon.folder, 'sites.json')
  expect(await run('sites', 'export', file_of_sites)).toMatchObject({ status: 0 })
  expect(statSync(file_of_sites).mode & 0o777).toBe(0o600)
  for (const command of [['show', 'shop'], ['show', 'shop', '--json'], ['list']]) {
    expect(await run('sites', ...command)).toMatchObject({ status: 0 })
  }
  expect(tracesOf(secret, everywhere())).toEqual([])
  // Not as base64 of what the daemon sent, either.
  const basic = Buffer.from(
    `shop:${new URLSearchParams({ s: secret }).toString().slice(2)}`,
  ).toString('base64')
  expect(tracesOf(basic, everywhere())).toEqual([])
})

test('a private key: added, used, and found nowhere', async () => {
  const cfg = join(daemon.folder, 'keyed.cfg')
  const key = ['--private-key', join(hands, 'key.pem'), '--key-id', 'shop-key']
  const added = await add('keyed', '--client-id', 'keyed', ...key, '--cfg', cfg)
  expect(added).toMatchObject({ status: 0, stderr: expect.stringMatching(PLAIN) })
  // What the operator enters at the OP: the public key, whole.
  const jwks = JSON.parse(added.stdout.slice(added.stdout.indexOf('{')))
  expect(jwks.keys).toEqual([
    {
      kty: 'RSA',
      n: private_jwk['n'],
      e: private_jwk['e'],
      alg: 'RS256',
      use: 'sig',
      kid: 'shop-key',
    },
  ])
  const { claims } = await logIn(cfg)
  expect(claims['sub']).toBe(op.users[0]?.name)
  expect(await run('sites', 'show', 'keyed', '--json')).toMatchObject({ status: 0 })
  for (const member of ['d', 'p', 'q', 'dp', 'dq', 'qi']) {
    expect(tracesOf(private_jwk[member] as string, everywhere()), member).toEqual([])
  }
  for (const line of pem.split('\n').filter((line) => line.length === 64)) {
    expect(tracesOf(line, everywhere())).toEqual([])
  }
})

test('the search finds what is there to be found', () => {
  const file = join(hands, 'secret')
  const found = (text: string) => tracesOf(secret, [['here', text]])
  expect(tracesOf(secret, filesIn(hands))).toContainEqual({ where: file, form: 'plain' })
  expect(found(`x=${encodeURIComponent(secret)}`)).not.toEqual([])
  expect(found(JSON.stringify({ secret }))).not.toEqual([])
  expect(found(new URLSearchParams({ secret }).toString())).not.toEqual([])
  for (const before of ['', 'a', 'ab', 'shop:']) {
    for (const encoding of ['base64', 'base64url'] as const) {
      expect(found(`Basic ${Buffer.from(before + secret).toString(encoding)}!`)).not.toEqual([])
    }
  }
  expect(processes().some(([where]) => where === `/proc/${daemon.pid}/environ`)).toBe(true)
})

test('a wrong secret: the site is told that the OP refused the client, and the operator which', async () => {
  const cfg = join(daemon.folder, 'wrong.cfg')
  const wrong = randomBytes(24).toString('base64url')
  writeFileSync(join(hands, 'wrong'), wrong, { mode: 0o644 })
  const file = join(hands, 'wrong')
  const added = await add(
    'wrong',
    '--client-id',
    'shop',
    '--client-secret-file',
    file,
    '--cfg',
    cfg,
  )
  // It is the operator's to know that others could read it.
  expect(added).toMatchObject({ status: 0 })
  expect(added.stderr).toMatch(/WARNING: .*--client-secret-file is open to other users .*0644/)
  const error = await logIn(cfg).catch((error: unknown) => error)
  expect(error).toBeInstanceOf(CommandError)
  expect(error).toMatchObject({ code: 'op_error', details: { error: 'invalid_client' } })
  const { oxd_id } = JSON.parse((await run('sites', 'show', 'wrong', '--json')).stdout)
  const logged = daemon.log.find(
    (line) => line['site'] === oxd_id.slice(0, 8) && line['outcome'] === 'op_error',
  )
  expect(logged).toMatchObject({ command: 'get_tokens_by_callback' })
  expect(tracesOf(wrong, [...everywhere(), ['error', String(error)]])).toEqual([])

  // The cure: the right one, while the daemon runs and the site is connected.
  const right = join(hands, 'secret')
  const cured = await run('sites', 'update', 'wrong', '--client-secret-file', right)
  expect(cured).toMatchObject({ status: 0 })
  expect((await logIn(cfg)).claims['sub']).toBe(op.users[0]?.name)
  expect(await run('sites', 'remove', 'wrong', '--yes')).toMatchObject({ status: 0 })
})

test('a cfg with a secret is not taken over, and nothing is done', async () => {
  const cfg = join(daemon.folder, 'old.cfg')
  const text = '[oxd]\nhost = localhost\n[client]\n# by hand\nclient_secret = %%marker\n'
  writeFileSync(cfg, text)
  const refused = await add(
    'old',
    '--client-id',
    'shop',
    '--client-secret-file',
    join(hands, 'secret'),
    '--cfg',
    cfg,
  )
  expect(refused.stderr).toMatch(/old\.cfg:5:? holds a client_secret.*take the line out/)
  expect(refused.stderr).not.toContain('marker')
  expect(refused.status).toBe(1)
  expect(readFileSync(cfg, 'utf8')).toBe(text)
  expect(await run('sites', 'show', 'old')).toMatchObject({ status: 1 })
})

test('both are in the store, sealed', async () => {
  await daemon.stop()
  const { store } = await openStore(loadConfig(daemon.config).daemon)
  try {
    const secretsOf = async (name: string) => {
      const [site] = await store.findSites(name, 2)
      return (await store.getSite(site?.oxd_id ?? '', 'default'))?.secrets
    }
    expect(await secretsOf('shop')).toEqual({ client_secret: secret })
    expect(await secretsOf('keyed')).toEqual({ client_private_key: pem })
  } finally {
    await store.close()
  }
})
