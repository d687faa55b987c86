/** No secret of a run is in a log, an error, a file of the store or a process's arguments. */
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Fields } from '../../daemon/src/command.js'
import { commands } from '../../daemon/src/commands/index.js'
import { type Asked, type Bend, BentOp, BentSite, json } from '../support/bent_op/index.js'
import { TestDaemon } from '../support/daemon.js'
import { type Reply, Wire } from '../support/wire.js'

let daemon: TestDaemon
let op: BentOp
let wire: Wire

/** Secrets as they were seen on the wires, by what they are. */
const seen = new Map<string, string>()
/** Every error reply, as it came. */
const refusals: string[] = []

beforeAll(async () => {
  daemon = await TestDaemon.start({ daemon: { log_level: 'trace' } })
  op = await BentOp.start()
  wire = await Wire.connect(daemon.socket)
})

afterAll(async () => {
  wire[Symbol.dispose]()
  await daemon[Symbol.asyncDispose]()
  await op[Symbol.asyncDispose]()
})

function see(what: string, secret: unknown): void {
  if (typeof secret !== 'string' || secret.length < 8 || seen.has(secret)) return
  seen.set(secret, what)
}

async function call(command: keyof typeof commands, params: object): Promise<Reply> {
  const reply = await wire.call(command, params)
  const { params: given, result }: { params: Fields; result: Fields } = commands[command]
  for (const [name, value] of Object.entries(params)) if (given[name]?.secret) see(name, value)
  if (reply.status === 'error') refusals.push(JSON.stringify(reply.data))
  else for (const name in reply.data) if (result[name]?.secret) see(name, reply.data[name])
  return reply
}

/** What an OP is sent: client authentication, codes, verifiers, tokens. */
function seeAsked(asked: Asked): void {
  see('credentials', asked.headers.authorization?.split(' ')[1])
  if (asked.endpoint !== 'token') return
  for (const name of ['code', 'code_verifier', 'client_secret']) {
    see(name, new URLSearchParams(asked.body).get(name))
  }
}

/** Everything that the OP was told, said back in an error, in plain words and quoted. */
const echo: Bend = (_, { headers, body }) => {
  const said = `${headers.authorization} ${[...new URLSearchParams(body).values()].join(' ')}`
  const error_description = `you said ${said}, that is ${JSON.stringify({ said })}, in a form ${body}`
  return json({ error: 'invalid_grant', error_description }, 400)
}

/** What the OP would have answered, in an error. */
const instead: Bend = ({ body }) => {
  const form = new URLSearchParams(body as Record<string, string>)
  const error_description = `not ${JSON.stringify(body)} and not ${form}`
  return json({ error: 'invalid_grant', error_description }, 400)
}

/** What belongs to other logins, wherever the OP has it from. */
function foreign(...secrets: string[]): Bend {
  return () => json({ error: 'invalid_grant', error_description: `not yours: ${secrets}` }, 400)
}

/** A token response that breaks off in the middle of its last token. */
const broken: Bend = ({ body }) => json(Buffer.from(JSON.stringify(body).slice(0, -40)))

const inHtml: Bend = ({ body }) => json(Buffer.from(`<p>Take this: ${JSON.stringify(body)}</p>`))

const inChallenge: Bend = (_, { headers }) =>
  json({ error: 'invalid_token' }, 401, {
    'www-authenticate': `Bearer error="invalid_token", error_description="no good: ${headers.authorization}"`,
  })

async function run(site: BentSite): Promise<string> {
  const { oxd_id } = site
  const begin = async () => {
    const { data } = await call('get_authorization_url', { oxd_id })
    const callback = op.authorize(data.authorization_url)
    see('nonce', new URL(data.authorization_url).searchParams.get('nonce'))
    see('code', new URL(callback).searchParams.get('code'))
    return { data, callback }
  }
  const first = await begin()
  const cookie = `theme=dark; ${first.data.set_cookie.split(';')[0]}`
  const login = await call('get_tokens_by_callback', { oxd_id, callback: first.callback, cookie })
  const { session_id, access_token } = login.data
  expect(await call('get_user_info', { oxd_id, session_id })).toMatchObject({ status: 'ok' })
  expect(await call('get_user_info', { oxd_id, access_token })).toMatchObject({ status: 'ok' })

  const pending = await begin()
  const nonce = new URL(pending.data.authorization_url).searchParams.get('nonce') as string
  const others = foreign(nonce, pending.data.binding, session_id)
  for (const bend of [echo, instead, others, broken, inHtml]) {
    op.bend({ token: bend })
    const { callback, data } = await begin()
    const parameters = new URL(callback).searchParams
    const { binding } = data
    const [code, state, iss] = ['code', 'state', 'iss'].map((name) => parameters.get(name))
    const attempt = { oxd_id, code, state, iss, binding }
    expect(await call('get_tokens_by_code', attempt)).toMatchObject({ status: 'error' })
    expect(await call('get_tokens_by_code', attempt)).toMatchObject({ status: 'error' })
  }
  for (const bend of [echo, inChallenge]) {
    op.bend({ userinfo: bend })
    expect(await call('get_user_info', { oxd_id, session_id })).toMatchObject({ status: 'error' })
  }
  // An OP's error by way of the browser, which quotes what the browser brought along.
  const { data, callback } = await begin()
  const { code = '', state = '' } = Object.fromEntries(new URL(callback).searchParams)
  const quoting = { error: 'server_error', error_description: `${code} ${data.binding}` }
  const response = new URLSearchParams({ ...quoting, state, iss: op.issuer })
  const params = { oxd_id, callback: `/?${response}&code=${code}`, cookie: data.set_cookie }
  expect(await call('get_tokens_by_callback', params)).toMatchObject({ status: 'error' })
  op.straighten()
  return session_id
}

test('S30 a whole run leaves none', async () => {
  const idempotency_key = randomBytes(32).toString('base64url')
  const registration = { op_host: op.issuer, idempotency_key }
  const dynamic = await BentSite.register(wire, op, registration)
  see('idempotency_key', idempotency_key)
  const { client_id, client_secret } = op.addClient({
    client_id: 'issued',
    client_secret: 'chosen "by hand" & sent in a form/ä',
    token_endpoint_auth_method: 'client_secret_post',
    redirect_uris: ['https://site.example/callback'],
  })
  const issued = await BentSite.register(wire, op, {
    client_id,
    client_secret,
    token_endpoint_auth_method: 'client_secret_post',
  })
  op.bend({ registration: (honest) => json({ ...(honest.body as object), client_id: 7 }, 201) })
  await call('register_site', {
    op_host: op.issuer,
    authorization_redirect_uri: 'https://site.example/callback',
  })
  op.straighten()

  const session_id = await run(dynamic)
  const other_session_id = await run(issued)

  // A row that somebody changed: an error that nobody foresees.
  const path = join(daemon.folder, 'state/store/relyd.db')
  const database = new Database(path)
  database.exec('UPDATE sessions SET secrets = CAST(substr(secrets, 1, 60) AS BLOB)')
  database.close()
  const { oxd_id } = issued
  const damaged = { oxd_id, session_id: other_session_id }
  expect(await call('get_user_info', damaged)).toMatchObject({ data: { error: 'internal_error' } })

  const { data } = await call('get_logout_uri', { oxd_id: dynamic.oxd_id, session_id })
  expect(data.error).toBe('no_end_session_endpoint_at_op')
  op.bend({ client: (_, { headers }) => json({ error: `${headers.authorization}` }, 403) })
  expect((await call('remove_site', { oxd_id: dynamic.oxd_id })).status).toBe('error')
  op.straighten()
  const running = filesBelow(join(daemon.folder, 'state/store'))
  const process = ['cmdline', 'environ'].map((name) => readFileSync(`/proc/${daemon.pid}/${name}`))
  expect((await call('remove_site', { oxd_id: dynamic.oxd_id })).status).toBe('ok')
  await daemon.stop()

  for (const asked of op.asked) seeAsked(asked)
  for (const secret of op.secrets) see('issued', secret)
  const key_file = readFileSync(join(daemon.folder, 'state/keys/store.key'), 'utf8')
  for (const [, key] of key_file.matchAll(/^\w+ (\S+)$/gm)) see('key', key)
  const kinds = ['access_token', 'binding', 'client_secret', 'code', 'code_verifier', 'cookie']
  const others = [
    'credentials',
    'id_token',
    'idempotency_key',
    'issued',
    'key',
    'nonce',
    'callback',
  ]
  expect(new Set(seen.values())).toEqual(new Set([...kinds, ...others, 'session_id', 'set_cookie']))

  // What is searched is there at all.
  const { output } = daemon
  const files = [...running, ...filesBelow(join(daemon.folder, 'state/store'))]
  expect(output.match(/"msg":"request"/g)?.length).toBeGreaterThan(30)
  expect(output).toContain('"client_secret":"[secret]"')
  expect(output).toContain('Error: ')
  expect(refusals.length).toBeGreaterThan(14)
  expect(refusals.join()).toMatch(/you said Basic \[secret\] .*\[secret\]/)
  expect(refusals.join()).toMatch(/no good: Bearer \[secret\]/)
  expect(refusals.join()).toContain('not yours: [secret],[secret],[secret]')
  expect(files.some((bytes) => bytes.includes(client_id))).toBe(true)
  expect(files.length).toBeGreaterThan(3)

  // On TCP it is a secret of the site.
  for (const id of [dynamic.oxd_id, issued.oxd_id]) expect(output).not.toContain(id)

  const replies = refusals.join('\n')
  for (const [secret, what] of seen) {
    const found = { what, log: traces(output, secret), replies: traces(replies, secret) }
    expect(found).toEqual({ what, log: [], replies: [] })
    const raw = Buffer.from(secret, 'base64url')
    for (const bytes of [...files, ...process]) {
      expect({ what, stored: bytes.includes(secret) }).toEqual({ what, stored: false })
      if (raw.length >= 16) expect({ what, raw: bytes.includes(raw) }).toEqual({ what, raw: false })
    }
  }
})

/** In which forms a text holds a secret; a half of it counts as well. */
function traces(text: string, secret: string): string[] {
  const half = secret.slice(secret.length > 40 ? -secret.length / 2 : 0)
  const form = new URLSearchParams({ half }).toString().slice('half='.length)
  return [half, JSON.stringify(half).slice(1, -1), encodeURIComponent(half), form].filter((one) =>
    text.includes(one),
  )
}

function filesBelow(folder: string): Buffer[] {
  return readdirSync(folder).map((name) => readFileSync(join(folder, name)))
}

describe('P46 S30 at any level of the log, redaction follows the declarations', () => {
  const secrets = Object.entries(commands).flatMap(([command, { params }]) =>
    Object.entries(params as Fields).flatMap(([name, { secret }]) =>
      secret ? [{ command: command as keyof typeof commands, name }] : [],
    ),
  )

  test('of every command, whatever a parameter is marked for is not shown', async () => {
    await using daemon = await TestDaemon.start({ daemon: { log_level: 'trace' } })
    using wire = await Wire.connect(daemon.socket)
    const { oxd_id } = await BentSite.register(wire, op)
    const values: string[] = []
    for (const [at, { command, name }] of secrets.entries()) {
      // Too short for the last filter: here the declaration alone must do.
      const short = `Zq${at.toString(36).padStart(3, '_')}`
      const long = randomBytes(20).toString('base64url')
      values.push(short, long)
      for (const value of [short, long, [long], { [long]: long }, `a=${long}; b=${long}`]) {
        await wire.call(command, { ...minimal(commands[command].params, oxd_id), [name]: value })
      }
    }
    await daemon.stop()
    for (const { command, name } of secrets) {
      const lines = daemon.log.filter((one) => one.msg === 'request' && one['command'] === command)
      const shown = lines.map(({ params }) => (params as Record<string, unknown>)[name])
      expect(shown.filter((value) => value === '[secret]').length).toBeGreaterThanOrEqual(5)
    }
    expect(values.filter((value) => daemon.output.includes(value))).toEqual([])
  })

  test('at info, nothing of the parameters is', async () => {
    await using daemon = await TestDaemon.start()
    using wire = await Wire.connect(daemon.socket)
    await BentSite.register(wire, op, { client_name: 'shown to nobody' })
    await wire.call('nonsense-command', { nonsense: 'shown to nobody' })
    await wire.call('get_site', { oxd_id: 'shown to nobody' })
    await daemon.stop()
    expect(daemon.output).toContain('"command":"get_site"')
    expect(daemon.output).not.toMatch(/shown|nonsense/)
  })
})

/** What a command requires, so that its handler is reached. */
function minimal(params: Fields, oxd_id: string): Record<string, unknown> {
  const required = Object.entries(params).flatMap(([name, field]) => (field.required ? [name] : []))
  return Object.fromEntries(required.map((name) => [name, name === 'oxd_id' ? oxd_id : 'x']))
}
