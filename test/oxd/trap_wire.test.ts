/** Traps 1 to 7 and 15 of oxd: how its clients frame, send and read. */
import { networkInterfaces } from 'node:os'
import { setImmediate } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { shownSite } from '../../daemon/src/server/secrets.js'
import { type Op, startOp } from '../../demosite/src/op.js'
import type { LogLine, TestDaemon } from '../support/daemon.js'
import { node } from '../support/oxd/clients/node.js'
import { php } from '../support/oxd/clients/php.js'
import { python } from '../support/oxd/clients/python.js'
import { startOxdDaemon } from '../support/oxd/oxd_daemon.js'
import { OxdWire } from '../support/oxd/oxd_wire.js'
import { permitted } from '../support/required.js'
import { redirect_uri, registerIssued } from '../support/site.js'
import { Wire } from '../support/wire.js'

const hasIpv6 = permitted('loopback of IPv6', () =>
  Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1')),
)

let op: Op
let daemon: TestDaemon
let oxd_id: string

beforeAll(async () => {
  op = await startOp()
  const brief = '[listener brief]\naddress = tcp:127.0.0.1:0\nidle_timeout = 1\nconnections = 2'
  const six = hasIpv6 ? '[listener six]\naddress = tcp:[::1]:0' : ''
  daemon = await startOxdDaemon({
    daemon: { default_op: op.issuer },
    sections: `${brief}\n${six}`,
  })
  using wire = await Wire.connect(daemon.socket)
  oxd_id = await registerIssued(wire, op)
})

afterAll(async () => {
  await daemon[Symbol.asyncDispose]()
  await op.close()
})

/** Custom parameters that make a reply longer by about so much. */
function longer(by: number): { custom_parameters: Record<string, string> } {
  const whole = Math.floor(by / 3000)
  const values = Array.from({ length: whole + 1 }, (_, i) => (i < whole ? 3000 : by % 3000))
  return {
    custom_parameters: Object.fromEntries(values.map((size, i) => [`p${i}`, 'x'.repeat(size)])),
  }
}

/** A frame as a client writes it that counts bytes. */
function frame(body: string, prefix = String(Buffer.byteLength(body)).padStart(4, '0')): string {
  return `${prefix}${body}`
}

/** A site whose lines in the log are one test's own, as those of others may still be on their way. */
async function siteAlone(): Promise<{ oxd_id: string; begun(): number }> {
  using wire = await Wire.connect(daemon.socket)
  const oxd_id = await registerIssued(wire, op)
  const shown = shownSite(oxd_id)
  const isBegun = ({ command, site }: LogLine) =>
    command === 'get_authorization_url' && site === shown
  return { oxd_id, begun: () => daemon.log.filter(isBegun).length }
}

test('trap 1: a connection outlives idle_timeout, where others do not, and every error', async () => {
  const port = daemon.portOf(2)
  const client = python(port)
  await client.request('get_authorization_url', { oxd_id })
  // Its connection is as old as this one, and was used as lately.
  using other = await Wire.connect({ port })
  await other.closed
  for (const params of [{}, { oxd_id: 'nobody' }, { oxd_id, custom_parameters: 5 }]) {
    expect((await client.request('get_authorization_url', params)).status).toBe('error')
  }
  expect((await client.request('get_authorization_url', { oxd_id })).status).toBe('ok')
  client.close()
})

test('trap 1: a listener that is full says so in words of oxd', async () => {
  const port = daemon.portOf(2)
  using one = await OxdWire.connect(port)
  using other = await OxdWire.connect(port)
  await one.ok('get_authorization_url', { oxd_id })
  await other.ok('get_authorization_url', { oxd_id })
  using third = await OxdWire.connect(port)
  const { status, data } = await third.call('get_authorization_url', { oxd_id })
  expect(status).toBe('error')
  expect(Object.keys(data)).toEqual(['error', 'error_description', 'details'])
  expect(data.error_description).toContain('connections of [listener brief]')
})

test('trap 2: a reply of any length is one chunk', async () => {
  const client = await OxdWire.connect(daemon.port)
  const chunks: Buffer[] = []
  client.socket.on('data', (chunk) => chunks.push(chunk))
  for (const by of [0, 1000, 3000]) {
    const { authorization_url } = await client.ok('get_authorization_url', {
      oxd_id,
      ...longer(by),
    })
    expect(authorization_url.length).toBeGreaterThan(by)
  }
  expect(chunks).toHaveLength(3)
  // Whose first chunk is all it reads.
  expect((await node(daemon.port).request('get_authorization_url', { oxd_id })).status).toBe('ok')
  client[Symbol.dispose]()
})

test('trap 3: a reply has nothing but ASCII, and counts itself right', async () => {
  using client = await OxdWire.connect(daemon.port)
  const chunks: Buffer[] = []
  client.socket.on('data', (chunk) => chunks.push(chunk))
  const name = 'Zürich \u2028 漢字 🗝'
  const data = await client.refused('get_authorization_url', {
    oxd_id,
    custom_parameters: { [name]: {} },
  })
  expect(data.details.field).toContain('漢字 🗝')
  const bytes = Buffer.concat(chunks)
  expect(bytes.every((byte) => byte < 0x80)).toBe(true)
  expect(Number(bytes.toString('latin1', 0, 4))).toBe(bytes.length - 4)
})

test('trap 4: a reply beyond 9999 characters becomes an error that says so, and the connection stays', async () => {
  using client = await OxdWire.connect(daemon.port)
  const { oxd_id, begun } = await siteAlone()
  const data = await client.refused('get_authorization_url', { oxd_id, ...longer(9999) })
  expect(data).toMatchObject({
    error: 'internal_error',
    error_description: expect.stringMatching(
      /longer than 9999 characters .* what the command changes is changed/,
    ),
    details: { reason: 'frame_too_large' },
  })
  await client.ok('get_authorization_url', { oxd_id })
  await expect.poll(begun).toBe(2)
})

test('trap 5: any prefix, either count, and white space about the body', async () => {
  using client = await OxdWire.connect(daemon.port)
  const text = JSON.stringify({
    command: 'get_authorization_url',
    params: { oxd_id, custom_parameters: { ключ: '漢字🗝' } },
  })
  const bytes = Buffer.byteLength(text)
  const frames = [
    frame(text),
    frame(text, `0${text.length}`),
    frame(text, `00${bytes}`),
    frame(text, `${text.length}`),
    `${frame(`\n${text}`)}\n`,
    `0${text.length}\n${text}`,
    `${frame(`${text}   `)}\r\n`,
    `0${[...text].length}${text}`,
  ]
  for (const one of frames) {
    client.socket.write(one)
    expect(await client.next()).toMatchObject({ status: 'ok' })
  }
  // Cut everywhere, with everything behind one another.
  for (const byte of Buffer.from(frames.join(''))) {
    client.socket.write(Buffer.of(byte))
    if (byte === 0x7b) await setImmediate()
  }
  for (const _ of frames) expect(await client.next()).toMatchObject({ status: 'ok' })
})

test('trap 5: a request of the greatest length is read', async () => {
  using client = await OxdWire.connect(daemon.port)
  const body = JSON.stringify({ command: 'get_authorization_url', params: { oxd_id } })
  client.socket.write(`99999${body}${' '.repeat(99_999 - body.length)}`)
  expect(await client.next()).toMatchObject({ status: 'ok' })
})

test('trap 6: what PHP sends twice is run once', async () => {
  const { oxd_id, begun } = await siteAlone()
  for (let times = 1; times <= 10; times += 1) {
    using client = await OxdWire.connect(daemon.port)
    const body = JSON.stringify({ command: 'get_authorization_url', params: { oxd_id } })
    client.socket.write(frame(body).repeat(2))
    expect(await client.next()).toMatchObject({ status: 'ok' })
    // Its place is that of a second reply, if there were one.
    expect((await client.call('no_such_command')).status).toBe('error')
    await expect.poll(begun).toBe(times)
  }
  expect((await php(daemon.port).request('get_authorization_url', { oxd_id })).status).toBe('ok')
})

test('trap 6: a registration that is sent twice is one, here and at the OP', async () => {
  const { sites } = await daemon.stored()
  using client = await OxdWire.connect(daemon.port)
  const params = { authorization_redirect_uri: redirect_uri }
  client.socket.write(frame(JSON.stringify({ command: 'register_site', params })).repeat(2))
  expect(await client.next()).toMatchObject({ status: 'ok', data: { oxd_id: expect.any(String) } })
  await client.ok('get_authorization_url', { oxd_id })
  expect((await daemon.stored()).sites).toBe(sites + 1)
})

test('trap 6: other requests that were sent ahead are answered in their order', async () => {
  using client = await OxdWire.connect(daemon.port)
  const themes = Array.from({ length: 50 }, (_, i) => `theme${i}`)
  const bodies = themes.map((theme) =>
    JSON.stringify({
      command: 'get_authorization_url',
      params: { oxd_id, custom_parameters: { theme } },
    }),
  )
  client.socket.write(bodies.map((body) => frame(body)).join(''))
  for (const theme of themes) {
    const { data } = await client.next()
    expect(new URL(data.authorization_url).searchParams.get('theme')).toBe(theme)
  }
})

test.skipIf(!hasIpv6)('trap 7: 127.0.0.1 and ::1 serve one realm, and its sites', async () => {
  using four = await OxdWire.connect(daemon.port)
  using six = await OxdWire.connect(daemon.portOf(3), '::1')
  await four.ok('get_authorization_url', { oxd_id })
  await six.ok('get_authorization_url', { oxd_id })
})

test('trap 15: what names no command is an unsupported_operation, and the connection stays', async () => {
  using client = await OxdWire.connect(daemon.port)
  for (const body of ['{}', '{"command":"test"}', '{"id":5}', '{"command":5}', '[]', 'null']) {
    client.socket.write(frame(body))
    expect(await client.next()).toMatchObject({
      status: 'error',
      data: { error: 'unsupported_operation', error_description: expect.any(String) },
    })
  }
  await client.ok('get_authorization_url', { oxd_id })
})

test('trap 15: a command without an object as params is told so, and the connection stays', async () => {
  using client = await OxdWire.connect(daemon.port)
  for (const params of ['', ',"params":null', ',"params":[]', ',"params":"x"', ',"more":{}']) {
    client.socket.write(frame(`{"command":"get_authorization_url"${params}}`))
    expect(await client.next()).toMatchObject({
      status: 'error',
      data: { error: 'internal_error', error_description: expect.stringContaining('params') },
    })
  }
  const body = { COMMAND: 1, command: 'Get_Authorization_URL', params: { oxd_id }, more: null }
  client.socket.write(frame(JSON.stringify(body)))
  expect(await client.next()).toMatchObject({ status: 'ok' })
})

test('a frame that cannot be read is told, and the next one served', async () => {
  using client = await OxdWire.connect(daemon.port)
  for (const body of ['hello', '   ', '{"a":', `${'{"a":'.repeat(40)}1${'}'.repeat(40)}`]) {
    client.socket.write(frame(body))
    expect(await client.next()).toMatchObject({
      status: 'error',
      data: { error: 'internal_error', details: { reason: 'invalid_frame' } },
    })
  }
  await client.ok('get_authorization_url', { oxd_id })
})

test('where nobody can tell what comes next, that is told, and the connection closed', async () => {
  for (const bytes of ['0002{}x', '000000002{}', '0002{}{"command":"test"}']) {
    using client = await OxdWire.connect(daemon.port)
    client.socket.write(bytes)
    let last = await client.next()
    if (last.data.error === 'unsupported_operation') last = await client.next()
    expect(last).toMatchObject({ status: 'error', data: { error: 'internal_error' } })
    await client.closed
  }
})

test('none of it was a failure of the daemon', () => {
  expect(daemon.log.filter(({ level }) => level >= 50)).toEqual([])
})
