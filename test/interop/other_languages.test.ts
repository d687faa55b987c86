/** The client and the website in Python that docs/other-languages.md shows work as they stand there. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { commands } from '../../daemon/src/commands/index.js'
import { type Op, startOp } from '../../demosite/src/op.js'
import { cookiesOf } from '../support/cookies.js'
import { TestDaemon } from '../support/daemon.js'
import { EndUser } from '../support/end_user.js'
import { freePort } from '../support/free_port.js'

const page = readFileSync(new URL('../../docs/other-languages.md', import.meta.url), 'utf8')
const folder = mkdtempSync(join(tmpdir(), 'relyd-python-'))

for (const [, code = ''] of page.matchAll(/^```python\n(.*?)^```$/gms)) {
  const [, name = ''] = /^"""(\w+\.py): /.exec(code) ?? []
  writeFileSync(join(folder, name), code)
}

let op: Op
let daemon: TestDaemon
let website: ChildProcess
let site: string

beforeAll(async () => {
  op = await startOp()
  daemon = await TestDaemon.start()
  const port = await freePort()
  site = `http://localhost:${port}`
  website = spawn('python3', ['website.py'], {
    cwd: folder,
    env: {
      ...process.env,
      PORT: String(port),
      RELYD: daemon.socket,
      OP: op.issuer,
      API: `${op.issuer}/me`,
      PYTHONDONTWRITEBYTECODE: '1',
    },
    // What it logs of requests goes to standard error.
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  if (!website.stdout) throw new Error('no pipe')
  await once(createInterface(website.stdout), 'line')
})

afterAll(async () => {
  if (website?.exitCode === null) {
    website.kill()
    await once(website, 'exit')
  }
  await daemon?.[Symbol.asyncDispose]()
  await op?.close()
  rmSync(folder, { recursive: true, force: true })
})

const get = (path: string, cookie = '', init: RequestInit = {}) =>
  fetch(new URL(path, site), { redirect: 'manual', ...init, headers: { cookie, ...init.headers } })

/** Logs Alice in. @returns the cookies she has then */
async function logIn(to = '/', expected = to): Promise<string> {
  const login = await get(`/login?to=${to}`)
  const callback = await new EndUser().logIn(login.headers.get('location') as string)
  const back = await get(callback, cookiesOf(login))
  expect([back.status, back.headers.get('location')]).toEqual([303, expected])
  return cookiesOf(back)
}

/** Runs lines of Python that have the client as `relyd`. @returns what they print */
async function python(lines: string, address = daemon.socket): Promise<string> {
  const start = `from relyd import *\nrelyd = Relyd(${JSON.stringify(address)}, timeout=2, patience=0.2)\n`
  const { stdout } = await promisify(execFile)('python3', ['-c', start + lines], { cwd: folder })
  return stdout.trim()
}

test('it logs a user in, calls an API and logs out', async () => {
  expect(await (await get('/')).text()).toContain('Hello, stranger.')
  expect((await get('/profile')).headers.get('location')).toBe('/login?to=/profile')
  const cookie = await logIn('/profile')
  expect(await (await get('/', cookie)).text()).toContain('Hello, alice.')
  expect(await (await get('/profile', cookie)).text()).toContain('Alice Ångström')
  const api = await (await get('/api', cookie)).text()
  expect(api).toContain('The API answered 200')
  expect(api).toContain('alice@example.com')

  const post = (origin: string) => get('/logout', cookie, { method: 'POST', headers: { origin } })
  expect((await post('http://evil.example')).status).toBe(403)
  expect(await (await get('/', cookie)).text()).toContain('Hello, alice.')
  const logout = await post(site)
  expect(logout.headers.get('location')).toContain(`${op.issuer}/session/end?`)
  expect(logout.headers.getSetCookie()[0]).toContain('Max-Age=0')
  // The cookie that somebody kept opens nothing any more.
  expect((await get('/profile', cookie)).headers.get('location')).toBe('/')
})

test('a login leads to no other website', async () => {
  await logIn('//evil.example', '/')
})

test('a callback from another browser, and one that came before, log nobody in', async () => {
  const login = await get('/login')
  const callback = await new EndUser().logIn(login.headers.get('location') as string)
  const stranger = await get(callback)
  expect([stranger.status, stranger.headers.getSetCookie()]).toEqual([400, []])
  expect((await get(callback, cookiesOf(login))).status).toBe(303)
  expect((await get(callback, cookiesOf(login))).status).toBe(400)
})

test('many requests at once get each their own answer', async () => {
  const cookie = await logIn()
  const bodies = await Promise.all(
    Array.from({ length: 40 }, async (_, nth) =>
      (await get(nth % 2 ? '/' : '/profile', cookie)).text(),
    ),
  )
  const expected = bodies.map((_, nth) => (nth % 2 ? 'Hello, alice.' : 'Alice Ångström'))
  expect(bodies.map((body, nth) => body.includes(expected[nth] ?? ''))).not.toContain(false)
})

test('a restart of the daemon is not noticed, not even by a login that is under way', async () => {
  const cookie = await logIn()
  const login = await get('/login')
  const callback = await new EndUser().logIn(login.headers.get('location') as string)
  await daemon.stop()
  await daemon.start()
  expect((await get(callback, cookiesOf(login))).status).toBe(303)
  await daemon.signal('SIGKILL')
  // While it is away.
  const answers = Promise.all(Array.from({ length: 5 }, () => get('/', cookie)))
  await daemon.start()
  expect((await answers).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200])
})

test('twenty processes that start at once are one site, whose key is nobody else’s to read', async () => {
  const register = `print(relyd.register("many.key", op_host="${op.issuer}",
    authorization_redirect_uri="${site}/callback"))`
  const ids = await Promise.all(Array.from({ length: 20 }, () => python(register)))
  expect(new Set(ids).size).toBe(1)
  expect(statSync(join(folder, 'many.key')).mode & 0o777).toBe(0o600)
})

test('a refusal is an exception with its code', async () => {
  const lines = `
try:
    relyd.call("get_session", oxd_id="x", session_id="y")
except Refused as error:
    print(error.code, error.retryable, error)`
  expect(await python(lines)).toMatch(/^invalid_oxd_id False get_session: invalid_oxd_id: /)
})

/** Something in the daemon's place that treats each connection's request as told. */
async function impostor(treat: (socket: Socket, nth: number) => void) {
  const requests: string[] = []
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy())
    socket.on('data', (data) => treat(socket, requests.push(String(data))))
  })
  const path = join(folder, `impostor-${randomUUID()}.sock`)
  await once(server.listen(path), 'listening')
  return { path, requests, [Symbol.dispose]: () => server.close() }
}

const printed = (command: string) => `
try:
    print(relyd.call("${command}"))
except NoReply as error:
    print(error)`

test('a daemon that is not there, or is silent, is an exception in time', async () => {
  const nowhere = join(folder, 'nowhere.sock')
  expect(await python(printed('ping'), nowhere)).toContain(`relyd cannot be reached at ${nowhere}`)
  using silent = await impostor(() => {})
  expect(await python(printed('ping'), silent.path)).toContain('ping: no reply within 2 s')
  expect(silent.requests).toHaveLength(1)
})

test('what is safe is sent once again when the connection broke, and nothing else', async () => {
  using breaking = await impostor((socket, nth) => {
    if (nth === 1) socket.destroy()
    else socket.end('{"id":null,"status":"ok","data":{"version":"2nd"}}\n')
  })
  expect(await python(printed('ping'), breaking.path)).toContain('2nd')
  expect(breaking.requests).toHaveLength(2)
  using broken = await impostor((socket) => socket.end('{"id":'))
  expect(await python(printed('ping'), broken.path)).toContain('relyd closed the connection')
  expect(broken.requests).toHaveLength(2)
  expect(await python(printed('remove_site'), broken.path)).toContain('may have been executed')
  expect(broken.requests).toHaveLength(3)
})

test('what a stopping daemon did not begin with is sent again, whatever it is', async () => {
  const refusal = { error: 'shutting_down', error_description: '', retryable: true }
  using stopping = await impostor((socket, nth) => {
    const reply = nth === 1 ? { status: 'error', data: refusal } : { status: 'ok', data: {} }
    socket.write(`${JSON.stringify({ id: null, ...reply })}\n`)
  })
  expect(await python(printed('remove_site'), stopping.path)).toBe('{}')
  expect(stopping.requests).toHaveLength(2)
})

test('it speaks over TCP on this host as well', async () => {
  expect(await python(printed('ping'), `127.0.0.1:${daemon.port}`)).toContain('version')
})

test('it calls safe what the protocol does', () => {
  const [, names = ''] = /^SAFE = \{(.*?)\}/ms.exec(page) ?? []
  const safe = [...names.matchAll(/"(\w+)"/g)].map(([, name]) => name as keyof typeof commands)
  expect(safe.length).toBeGreaterThan(4)
  expect(safe.filter((name) => commands[name]?.retry !== 'safe')).toEqual([])
})
