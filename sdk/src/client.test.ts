/** A site's client registers once, keeps what it got in the cfg, and adds it to every call. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { encodeMsgpack, MSGPACK_MAGIC, MsgpackDecoder } from './framing/index.js'
import { Client, CommandError, ConfigError, TransportError } from './index.js'
import { parseIniFile } from './ini_file.js'

interface Request {
  id: number
  command: string
  params: Record<string, unknown>
}

/** What a fake daemon answers: data, or an error's code. */
type Answer = (request: Request, count: number) => { data: unknown } | { error: string } | undefined

const register: Answer = ({ command, params }) => ({
  data: command === 'register_site' ? { oxd_id: 'site-1', op_host: 'https://op' } : { params },
})

interface Site {
  cfg: string
  requests: Request[]
  sockets: Socket[]
}

/** A fake daemon, and a cfg that leads to it. */
async function newSite(answer: Answer = register, oxd = ''): Promise<Site> {
  const folder = mkdtempSync(join(tmpdir(), 'relyd-sdk-'))
  const cfg = join(folder, 'site.cfg')
  const site: Site = { cfg, requests: [], sockets: [] }
  writeFileSync(
    cfg,
    `# The shop\n[oxd]\nsocket = relyd.sock\n${oxd}\n[client]\n` +
      'authorization_redirect_uri = https://site.example/callback\nscope = openid email\n',
  )
  const server = createServer((socket) => {
    site.sockets.push(socket)
    const decoder = new MsgpackDecoder()
    let skip = MSGPACK_MAGIC.length
    socket.on('data', (chunk) => {
      const frames = decoder.push(chunk.subarray(skip))
      skip = 0
      for (const frame of frames) {
        if ('error' in frame) throw frame.error
        const request = frame.message as Request
        const result = answer(request, site.requests.push(request))
        if (result) socket.write(encodeMsgpack(replyTo(request.id, result)))
      }
    })
  })
  server.listen(join(folder, 'relyd.sock'))
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    for (const socket of site.sockets) socket.destroy()
    rmSync(folder, { recursive: true, force: true })
  })
  return site
}

function replyTo(id: number, result: { data: unknown } | { error: string }): object {
  if ('data' in result) return { id, status: 'ok', data: result.data }
  const data = { error: result.error, error_description: result.error, retryable: true }
  return { id, status: 'error', data }
}

function newClient({ cfg }: Site, timeout_ms = 5000): Client {
  const client = new Client(cfg, { timeout_ms })
  onTestFinished(() => client.close())
  return client
}

function oxd({ cfg }: Site, key: string): string | undefined {
  return parseIniFile(readFileSync(cfg, 'utf8'), cfg).sections.get('oxd')?.get(key)?.value
}

test('C5 the first use registers with the key in the cfg, and the cfg keeps the id', async () => {
  let keyAtRegistration: string | undefined
  const site = await newSite((request, count) => {
    if (count === 1) keyAtRegistration = oxd(site, 'idempotency_key')
    return register(request, count)
  })
  const result = await newClient(site).getAuthorizationUrl({ prompt: 'login' })
  expect(result).toEqual({ params: { prompt: 'login', oxd_id: 'site-1' } })
  expect(keyAtRegistration).toMatch(/^[\w-]{43}$/)
  expect(site.requests.map(({ command, params }) => ({ command, params }))).toEqual([
    {
      command: 'register_site',
      params: {
        authorization_redirect_uri: 'https://site.example/callback',
        scope: ['openid', 'email'],
        idempotency_key: keyAtRegistration,
      },
    },
    { command: 'get_authorization_url', params: { prompt: 'login', oxd_id: 'site-1' } },
  ])
  expect(oxd(site, 'id')).toBe('site-1')
  expect(oxd(site, 'idempotency_key')).toBe(keyAtRegistration)

  await newClient(site).getUserInfo({ session_id: 's' })
  expect(site.requests.map(({ command }) => command)).toEqual([
    'register_site',
    'get_authorization_url',
    'get_user_info',
  ])
})

test('calls that come at once share one registration and one connection', async () => {
  const site = await newSite()
  const client = newClient(site)
  await Promise.all([client.getSite(), client.getAuthorizationUrl(), client.registerSite()])
  expect(site.requests.map(({ command }) => command)).toEqual([
    'register_site',
    'get_site',
    'get_authorization_url',
  ])
  expect(site.sockets).toHaveLength(1)
})

test('a registration that another process has under way is waited for', async () => {
  const site = await newSite((request, count) =>
    count <= 2 ? { error: 'registration_in_progress' } : register(request, count),
  )
  expect(await newClient(site).registerSite()).toBe('site-1')
  expect(new Set(site.requests.map(({ params }) => params['idempotency_key'])).size).toBe(1)
})

test('a registration that never ends is given up with the call, and does not end it for others', async () => {
  const site = await newSite(() => ({ error: 'registration_in_progress' }))
  const brief = newClient(site, 300)
  await expect(brief.registerSite({ timeout_ms: 20 })).rejects.toMatchObject({
    code: 'ERR_TIMEOUT',
    outcome: 'not_executed',
  })
  // The attempt that it joins ends when the first call's client would have it.
  const joined = brief.getSite({}, { timeout_ms: 5000 })
  await expect(joined).rejects.toMatchObject({ code: 'registration_in_progress' })
})

test('a refused registration fails the call, and the next one tries again with the same key', async () => {
  const site = await newSite((request, count) =>
    count === 1 ? { error: 'op_unreachable' } : register(request, count),
  )
  const client = newClient(site)
  await expect(client.getAuthorizationUrl()).rejects.toBeInstanceOf(CommandError)
  await client.getAuthorizationUrl()
  const [first, second] = site.requests
  expect(second?.params['idempotency_key']).toBe(first?.params['idempotency_key'])
})

test('an id that another process wrote since this one started is used', async () => {
  const site = await newSite()
  const early = newClient(site)
  await newClient(site).registerSite()
  await early.getSite()
  expect(site.requests.map(({ command }) => command)).toEqual(['register_site', 'get_site'])
})

test('a read-only cfg with a key serves, and the id stays in memory', async () => {
  const key = 'k'.repeat(43)
  const site = await newSite(register, `idempotency_key = ${key}`)
  chmodSync(site.cfg, 0o444)
  chmodSync(join(site.cfg, '../relyd.sock'), 0o666)
  chmodSync(join(site.cfg, '..'), 0o555)
  // Root may write everywhere, so this runs in a process that can become somebody else.
  const script = `
    import { Client } from ${JSON.stringify(new URL('../dist/index.js', import.meta.url))}
    if (process.getuid() === 0) {
      process.setgroups([])
      process.setgid(65534)
      process.setuid(65534)
    }
    const client = new Client(${JSON.stringify(site.cfg)})
    await client.getSite()
    await client.getSite()`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: 'inherit',
  })
  onTestFinished(() => {
    child.kill('SIGKILL')
    chmodSync(join(site.cfg, '..'), 0o700)
  })
  expect(await once(child, 'close')).toEqual([0, null])
  expect(oxd(site, 'id')).toBeUndefined()
  expect(site.requests.map(({ params }) => params['oxd_id'] ?? params['idempotency_key'])).toEqual([
    key,
    'site-1',
    'site-1',
  ])
})

test('C5 a removed site is gone from the cfg, and registers anew with another key', async () => {
  const site = await newSite()
  const client = newClient(site)
  await client.registerSite()
  await client.removeSite()
  expect(oxd(site, 'id')).toBe('')
  expect(oxd(site, 'idempotency_key')).toBe('')
  await client.registerSite()
  const keys = site.requests.map(({ params }) => params['idempotency_key']).filter(Boolean)
  expect(new Set(keys).size).toBe(2)
})

test.each([
  ['nothing', '', {}],
  ['a key made beforehand', `idempotency_key = ${'k'.repeat(43)}`, {}],
  ['a key in a file of its own', 'idempotency_key_file = site.cfg.key', {}],
  ["another process's key beside it", '', {}],
  ['a key from the environment', 'id = elsewhere', { RELYD_IDEMPOTENCY_KEY: 'k'.repeat(43) }],
])(
  'a site that was never registered is not registered to be removed: %s',
  async (what, line, env) => {
    const site = await newSite(register, line)
    if (/file|beside/.test(what)) writeFileSync(`${site.cfg}.key`, 'k'.repeat(43), { mode: 0o600 })
    await using client = new Client(site.cfg, { env })
    await expect(client.removeSite()).rejects.toThrow(ConfigError)
    await expect(client.removeSite()).rejects.toThrow(/If it was, .* call registerSite\(\) first/)
    expect(site.requests).toEqual([])
    // As the message says.
    await client.registerSite()
    await client.removeSite()
    expect(site.requests.map(({ command }) => command)).toEqual(['register_site', 'remove_site'])
  },
)

test('a removal joins a registration under way, and finds one of another process', async () => {
  const site = await newSite()
  const [early, late] = [newClient(site), newClient(site)]
  const registered = early.registerSite()
  await early.removeSite()
  await registered
  await early.registerSite()
  await late.removeSite()
  expect(site.requests.map(({ command }) => command)).toEqual([
    'register_site',
    'remove_site',
    'register_site',
    'remove_site',
  ])
})

test('a removal that fails leaves the cfg alone', async () => {
  const site = await newSite(() => ({ error: 'internal_error' }), 'id = site-7')
  await expect(newClient(site).removeSite()).rejects.toBeInstanceOf(CommandError)
  expect(oxd(site, 'id')).toBe('site-7')
})

test('call sends params as they are, and not again', async () => {
  const site = await newSite((request, count) => {
    if (request.command === 'echo') return register(request, count)
    site.sockets.at(-1)?.destroy()
    return undefined
  }, 'id = site-7')
  const client = newClient(site)
  expect(await client.call('echo', { a: 1 })).toEqual({ params: { a: 1 } })
  await expect(client.call('read')).rejects.toBeInstanceOf(TransportError)
  expect(site.requests.map(({ command }) => command)).toEqual(['echo', 'read'])
})

test('methods that wait for the OP leave room for those that do not', async () => {
  const site = await newSite(
    (request, count) => (request.command === 'get_session' ? register(request, count) : undefined),
    'id = site-7',
  )
  const client = newClient(site)
  const session = { session_id: 's' }
  const stop = new AbortController()
  const options = { signal: stop.signal }
  const slow = Array.from({ length: 100 }, () => [
    client.getUserInfo(session, options),
    client.getLogoutUri(session, options),
    client.endSession(session, options),
  ]).flat()
  await client.getSession(session)
  expect(site.requests).toHaveLength(129)
  stop.abort()
  await Promise.allSettled(slow)
})

test('methods resend by their command’s mark', async () => {
  const site = await newSite((request, count) => {
    if (count % 2 === 0) return register(request, count)
    site.sockets.at(-1)?.destroy()
    return undefined
  }, 'id = site-7')
  const client = newClient(site)
  await client.ping()
  const taken = client.getTokensByCallback({ callback: 'https://site.example/callback?code=1' })
  await expect(taken).rejects.toMatchObject({ code: 'ERR_CLOSED', outcome: 'unknown' })
  expect(site.requests.map(({ command }) => command)).toEqual([
    'ping',
    'ping',
    'get_tokens_by_callback',
  ])
})

test('the cfg may be named by a URL, and its timeout counts', async () => {
  const site = await newSite(() => undefined, 'id = site-7\ntimeout = 0.03')
  await using client = new Client(pathToFileURL(site.cfg))
  await expect(client.ping()).rejects.toThrow(/in 30 ms/)
})

test('a wrong cfg is an error when the client is made', () => {
  expect(() => new Client('/nowhere/site.cfg')).toThrow(ConfigError)
})

test('a closed client waits for nothing', async () => {
  const site = await newSite(() => ({ error: 'registration_in_progress' }))
  const client = newClient(site)
  const waiting = client.getAuthorizationUrl()
  await expect(client.ping()).rejects.toBeInstanceOf(CommandError)
  await client.close()
  await expect(waiting).rejects.toMatchObject({ code: 'ERR_CLOSED' })
  await client.close()
})
