/** What docs/migrating-from-oxd.md shows works as it stands there. */
import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readConfig } from '../../daemon/src/config/load.js'
import { sampleConfig } from '../../daemon/src/config/sample.js'
import { type Op, startOp } from '../../demosite/src/op.js'
import { relyd } from '../support/cli.js'
import { TestDaemon } from '../support/daemon.js'
import { OxdWire } from '../support/oxd/oxd_wire.js'

const page = readFileSync(new URL('../../docs/migrating-from-oxd.md', import.meta.url), 'utf8')

let op: Op
let daemon: TestDaemon
/** Of the listener for oxd clients. */
let port: number

beforeAll(async () => {
  op = await startOp()
  daemon = await TestDaemon.start({
    sections:
      '[listener oxd]\naddress = tcp:127.0.0.1:0\nrealm = oxd\n[realm oxd]\noxd_clients = 3.1',
  })
  port = daemon.portOf(2)
})

afterAll(async () => {
  await daemon[Symbol.asyncDispose]()
  await op.close()
})

/** The blocks below a heading, in order. */
function blocks(heading: string): string[] {
  const text = page.slice(page.indexOf(`\n${heading}`))
  return [...text.matchAll(/^```\w*\n(.*?)^```$/gms)].map(([, code]) => code as string)
}

test('relyd.cfg makes one realm of both families of loopback, and check-config says what is shown', async () => {
  const [added = '', , shown = ''] = blocks('## 2.')
  const cfg = `${sampleConfig()}${added}`
  const { listeners, realms } = readConfig(cfg, 'relyd.cfg', {})
  expect(listeners.map(({ address, realm }) => [address.text, realm])).toEqual([
    ['unix:/run/relyd/relyd.sock', 'default'],
    ['tcp:127.0.0.1:8099', 'oxd'],
    ['tcp:[::1]:8099', 'oxd'],
  ])
  expect(realms.get('oxd')).toMatchObject({ oxd_clients: '3.1' })
  const path = join(daemon.folder, 'shown.cfg')
  writeFileSync(path, cfg)
  const { stdout } = await relyd(['check-config', '-c', path], { STATE_DIRECTORY: daemon.folder })
  const [lines = ''] = shown.split('  …')
  expect(stdout.slice(0, lines.length)).toBe(lines)
})

test('ask makes a frame, and the reply to it is the one that is shown', async () => {
  const [, , , ask = '', reply = ''] = blocks('## 2.')
  const shell = `nc() { cat; }\n${ask}`
  const { stdout } = spawnSync('sh', ['-c', shell], { encoding: 'utf8' })
  expect(stdout).toBe('0018{"command":"test"}\n')
  using client = await OxdWire.connect(port)
  client.socket.write(stdout.trim())
  const shown = JSON.parse(reply.slice(4))
  expect(reply.trim()).toHaveLength(4 + Number(reply.slice(0, 4)))
  expect(await client.next()).toEqual({
    ...shown,
    data: { ...shown.data, details: { request_id: expect.any(String) } },
  })
})

test('a cfg of oxd-python gets the id of a site that the operator added, and keeps the rest', async () => {
  const [shown = ''] = blocks('### a.')
  const cfg = join(daemon.folder, 'site.cfg')
  const before = shown.replace('https://op.example.com', op.issuer)
  writeFileSync(cfg, before, { mode: 0o600 })
  const secret = join(daemon.folder, 'secret.txt')
  writeFileSync(secret, 'a secret that the OP gave', { mode: 0o600 })
  const [, line = ''] = /^relyd (sites add .*?--cfg \S+)$/ms.exec(blocks('### b.')[0] ?? '') ?? []
  const words = line.replaceAll('\\\n', ' ').split(/\s+/)
  const given: Record<string, string> = {
    'https://op.example.com': op.issuer,
    'secret.txt': secret,
    '/srv/shop/site.cfg': cfg,
  }
  const args = words.map((word) => given[word] ?? word)
  const { status, stderr } = await relyd([...args, '-c', daemon.config])
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  rmSync(secret)

  const after = readFileSync(cfg, 'utf8')
  const [, id = ''] = /^id = (.+)$/m.exec(after) ?? []
  expect(after).toBe(before.replace('8099', String(port)).replace(/^id =$/m, `id = ${id}`))
  using client = await OxdWire.connect(port)
  const { authorization_url } = await client.ok('get_authorization_url', { oxd_id: id })
  expect(new URL(authorization_url).searchParams.get('client_id')).toBe('ID')
})
