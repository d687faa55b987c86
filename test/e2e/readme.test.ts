/** What the README shows works as it stands there. */
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readConfig } from '../../daemon/src/config/load.js'
import { type Op, startOp } from '../../demosite/src/op.js'
import { TestDaemon } from '../support/daemon.js'
import { EndUser } from '../support/end_user.js'
import { ExampleWebsite } from '../support/website.js'

const root = new URL('../../', import.meta.url)
const readme = readFileSync(new URL('README.md', root), 'utf8')

let op: Op
let daemon: TestDaemon

beforeAll(async () => {
  op = await startOp()
  daemon = await TestDaemon.start()
})

afterAll(async () => {
  await daemon[Symbol.asyncDispose]()
  await op.close()
})

/** The first block in that language, from a heading on. */
function block(language: string, heading = ''): string {
  const text = readme.slice(readme.indexOf(heading))
  const [, code] = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'ms').exec(text) ?? []
  if (code === undefined) throw new Error(`the README has no block of ${language}`)
  return code
}

test('the two commands are scripts of the workspace', () => {
  const { scripts } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'))
  expect(readme.match(/^npm install && .*$/gm)).toEqual([
    'npm install && npm run demo',
    'npm install && npm test',
  ])
  expect(scripts).toMatchObject({ demo: expect.any(String), test: expect.any(String) })
})

test('every file that it links to is there', () => {
  const links = [...readme.matchAll(/\]\(([^)#:]+)\)/g)].map(([, path]) => path as string)
  expect(links.length).toBeGreaterThan(5)
  expect(links.filter((path) => !existsSync(new URL(path, root)))).toEqual([])
})

test('the realm of several websites is one that the daemon reads', () => {
  const { realms } = readConfig(block('ini', '## Several websites'), 'README.md', {})
  expect(realms.get('shop')).toMatchObject({
    tokens: 'daemon',
    allowed_op_hosts: ['op.internal.example'],
    quotas: { pending_logins: { site: 10_000 } },
  })
})

test('the website is the example that is built, and logs a user in and out', async () => {
  expect(block('ts')).toBe(readFileSync(new URL('sdk/examples/express.ts', root), 'utf8'))
  const cfg = block('ini')
    .replace('/run/relyd/relyd.sock', daemon.socket)
    .replace('https://op.example.com', op.issuer)
  await using site = await ExampleWebsite.start('express', cfg)
  const { back, cookie } = await site.logIn('/profile')
  expect(back.headers.get('location')).toBe(`${site.origin}/profile`)
  expect(await (await site.get('/profile', cookie)).json()).toMatchObject({
    name: 'Alice Ångström',
  })
  const logout = await site.get('/logout', cookie, 'POST')
  expect(logout.headers.get('location')).toContain(`${op.issuer}/session/end?`)
})

test('the Python lines log a user in', async () => {
  const python = spawn('python3', ['-c', block('python')], {
    env: { ...process.env, RELYD_SOCKET: daemon.socket, OP: op.issuer, PYTHONIOENCODING: 'utf-8' },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface(python.stdout)[Symbol.asyncIterator]()
  const { value: open } = await lines.next()
  python.stdin.end(`${await new EndUser().logIn(open.replace('Open ', ''))}\n`)
  const { value: claims } = await lines.next()
  expect(claims).toContain("'sub': 'alice'")
  expect(claims).toContain('Alice Ångström')
})

test('the JSON line of the shell is answered', async () => {
  const [, line] = /^echo '(.*)' \| nc -U/m.exec(readme) ?? []
  const socket = connect({ path: daemon.socket, allowHalfOpen: true })
  socket.end(`${line}\n`)
  let reply = ''
  for await (const chunk of socket) reply += chunk
  expect(JSON.parse(reply)).toMatchObject({ id: 1, status: 'ok' })
})
