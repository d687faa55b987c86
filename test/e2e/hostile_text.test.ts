/** Text from outside moves no terminal, fills no log and breaks no line, wherever it comes from. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BentOp, BentSite, json, withMembers } from '../support/bent_op/index.js'
import { TestDaemon } from '../support/daemon.js'
import { type Reply, Wire } from '../support/wire.js'

const PROGRAM = fileURLToPath(new URL('../../daemon/dist/main.js', import.meta.url))

const HOSTILE = '\x1b[2J\x1b]0;x\x07\r\n{"level":60}\n\x7f\x9b31m\u2028\u202Etxt.exe\u2066</script>'
const HUGE = HOSTILE.repeat(Math.ceil(1_000_000 / HOSTILE.length))

/** What a terminal obeys; a line feed only where a line ends. */
const OBEYED = /[^\P{Cc}\n]|[\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u
const LONGEST = 8192

let daemon: TestDaemon
let op: BentOp
let wire: Wire
let site: BentSite

beforeAll(async () => {
  daemon = await TestDaemon.start({ daemon: { log_level: 'trace' } })
  op = await BentOp.start()
  wire = await Wire.connect(daemon.socket)
  site = await BentSite.register(wire, op)
})

afterAll(async () => {
  wire[Symbol.dispose]()
  await daemon.stop()
  const { output } = daemon
  expect(output).not.toMatch(OBEYED)
  for (const line of output.split('\n')) expect(line.length).toBeLessThan(2 * LONGEST)
  // What was meant as a line of its own has not become one.
  expect(daemon.log.filter(({ level }) => level > 50)).toEqual([])
  await daemon[Symbol.asyncDispose]()
  await op[Symbol.asyncDispose]()
})

function expectHarmless({ status, data }: Reply): void {
  expect(status).toBe('error')
  const texts = [data.error_description, ...Object.values(data.details ?? {})]
  for (const text of texts) expect(String(text)).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u)
  expect(JSON.stringify(data).length).toBeLessThan(LONGEST)
}

describe.each([
  ['hostile', HOSTILE],
  ['of a megabyte', HUGE],
])('text %s', (_, text) => {
  test('as an OP’s error and error_description', async () => {
    const answer = json({ error: text, error_description: text }, 400)
    expectHarmless(await site.attempt({ bends: { token: () => answer } }))
    const challenge = `Bearer error="${text.replace(/[^ -~]/g, '').slice(0, 10_000)}"`
    const refused = json({ error: text }, 401, { 'www-authenticate': challenge })
    expectHarmless(await site.attempt({ bends: { token: () => refused } }))
  })

  test('as a token response’s members and as an ID Token’s claims', async () => {
    const bends = [
      { token: withMembers({ token_type: text }) },
      { token: withMembers({ scope: [text] }) },
      { token: withMembers({ id_token: text }) },
      { claims: () => ({ [text]: text, iss: text, sub: text, aud: text, nonce: text }) },
      { header: () => ({ alg: text, kid: text, crit: [text] }) },
    ]
    for (const bend of bends) expectHarmless(await site.attempt({ bends: bend }))
  })

  test('as an issuer and as addresses in metadata', async () => {
    const address = `http://${encodeURIComponent(text).replaceAll('%', '').toLowerCase()}/`
    for (const members of [{ issuer: text }, { token_endpoint: text }, { jwks_uri: address }]) {
      await using other = await BentOp.start()
      other.bend({ discovery: withMembers(members) })
      const params = { op_host: other.issuer, authorization_redirect_uri: 'https://a.example/' }
      expectHarmless(await wire.call('register_site', params))
    }
  })

  test('in a registration and its removal', async () => {
    const other = await BentSite.register(wire, op)
    op.bend({ client: () => json({ error: text, error_description: text }, 400) })
    expectHarmless(await wire.call('remove_site', { oxd_id: other.oxd_id }))
    op.bend({ registration: () => json({ error: text, error_description: text }, 400) })
    const params = { op_host: op.issuer, authorization_redirect_uri: 'https://a.example/' }
    expectHarmless(await wire.call('register_site', params))
    op.bend({ registration: withMembers({ token_endpoint_auth_method: text }) })
    expectHarmless(await wire.call('register_site', params))
    op.straighten()
  })

  test('in a callback', async () => {
    const cut = text.slice(0, 10_000)
    for (const name of ['error', 'error_description', 'iss', 'state', 'code']) {
      const reply = await site.attempt({
        callback: (response) => {
          if (name.startsWith('error')) response.delete('code')
          response.set('error', name.startsWith('error') ? 'x' : '')
          if (!name.startsWith('error')) response.delete('error')
          response.set(name, cut)
        },
      })
      expectHarmless(reply)
    }
  })

  test('as parameters of a command, their names, and the command’s own name', async () => {
    const cut = text.slice(0, 4000)
    const { oxd_id } = site
    const params = { op_host: op.issuer, authorization_redirect_uri: 'https://a.example/' }
    const calls: [string, object][] = [
      ['register_site', { ...params, authorization_redirect_uri: cut }],
      ['register_site', { ...params, op_host: cut }],
      ['register_site', { ...params, op_discovery_path: cut }],
      ['register_site', { ...params, [text.slice(0, 100_000)]: cut }],
      ['register_site', { ...params, contacts: [cut, 7] }],
      ['get_authorization_url', { oxd_id, prompt: cut }],
      ['get_authorization_url', { oxd_id, custom_parameters: { [text.slice(0, 100_000)]: 7 } }],
      ['get_site', { oxd_id: cut }],
      [text.slice(0, 100_000), {}],
    ]
    for (const [command, given] of calls) expectHarmless(await wire.call(command, given))
    const named = { ...params, client_name: cut, contacts: [cut] }
    const { oxd_id: made } = await wire.ok('register_site', named)
    expect((await wire.ok('get_site', { oxd_id: made })).client_name).toBe(cut)
  })
})

describe('relyd.cfg and the command line', () => {
  let folder: string

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'relyd-hostile-'))
  })

  afterAll(() => rmSync(folder, { recursive: true }))

  // One line each, as the file is read by lines.
  const text = HOSTILE.replaceAll(/[\r\n\u2028]/g, '')

  test.each([
    [
      'a value that is fine',
      `[daemon]\nstate_directory = /${text}\n[listener a]\naddress = unix:/x`,
    ],
    ['an option', `[daemon]\n${text} = 1\n`],
    ['a line that is nothing', text],
    [
      'a continued value',
      `[daemon]\ninsecure_op_hosts = a\n  b${text}\n[listener a]\naddress = unix:/x`,
    ],
    ['a megabyte', `[daemon]\n${'x'.repeat(1 << 20)} = 1\n[${'y'.repeat(1 << 20)}]`],
  ])('check-config prints %s without obeying it', (_, written) => {
    const path = join(folder, 'relyd.cfg')
    writeFileSync(path, written)
    const { stdout, stderr } = spawnSync(process.execPath, [PROGRAM, 'check-config', '-c', path], {
      encoding: 'utf8',
    })
    expect(stdout + stderr).not.toBe('')
    expect(stdout + stderr).not.toMatch(OBEYED)
    expect((stdout + stderr).length).toBeLessThan(LONGEST)
  })

  test('a path that does not exist is named without obeying it', () => {
    const path = join(folder, HOSTILE.replaceAll('/', ''))
    const { status, stderr } = spawnSync(process.execPath, [PROGRAM, 'serve', '-c', path], {
      encoding: 'utf8',
    })
    expect(stderr).toContain('there is no such file')
    expect(stderr.trim()).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}]/u)
    expect(status).toBe(1)
  })
})
