/** The server below its listeners: time limits of handshakes, and what scanners leave in the log. */
import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { hasOpenssl, TestCa } from '../../../test/support/certificates.js'
import { closed } from '../../../test/support/closed.js'
import type { TlsConfig } from '../config/config.js'
import { createLog } from '../log.js'
import { secureServer } from './tls.js'

describe.skipIf(!hasOpenssl())('a secure server', () => {
  let ca: TestCa
  let tls: TlsConfig

  beforeAll(() => {
    ca = new TestCa()
    const server = ca.issue('server')
    tls = { ...server, client_ca: ca.certificate, realms: undefined }
  })

  afterAll(() => ca[Symbol.dispose]())

  async function start(handshake: number, clock = () => Math.floor(Date.now() / 1000)) {
    const lines: Record<string, unknown>[] = []
    const log = createLog('info', { write: (line) => void lines.push(JSON.parse(line)) })
    const accepted: TLSSocket[] = []
    const { server } = secureServer(
      { name: 'remote', realm: 'default', tls },
      { log, clock, handshake },
      (socket) => accepted.push(socket),
    )
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => void server.close())
    const { port } = server.address() as AddressInfo
    return { port, lines, accepted }
  }

  test('cuts a handshake that takes too long, also one that goes on byte by byte', async () => {
    const { port, lines, accepted } = await start(200)
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {})
    // A hello that announces more than ever comes.
    const hello = Buffer.concat([Buffer.from('16030140000100', 'hex'), Buffer.alloc(10_000)])
    let sent = 0
    const drip = setInterval(() => {
      socket.write(hello.subarray(sent, sent + 1))
      sent += 1
    }, 20)
    await closed(socket)
    clearInterval(drip)
    expect(accepted).toEqual([])
    expect(lines).toMatchObject([{ listener: 'remote', reason: 'ERR_TLS_HANDSHAKE_TIMEOUT' }])
  })

  test('logs a scan by a few lines, and then how many it left out', async () => {
    let now = Math.floor(Date.now() / 1000)
    const { port, lines } = await start(10_000, () => now)
    const knock = async () => {
      const socket = connect(port, '127.0.0.1')
      socket.on('error', () => {})
      socket.end('GET / HTTP/1.1\r\n\r\n')
      socket.resume()
      await closed(socket)
    }
    for (let n = 0; n < 50; n += 1) await knock()
    expect(lines).toHaveLength(20)
    now += 60
    await knock()
    await expect.poll(() => lines).toHaveLength(21)
    expect(lines.at(-1)).toMatchObject({ level: 40, listener: 'remote', unlogged: 30 })
    expect(Object.keys(lines[0] ?? {}).sort()).toEqual([
      'level',
      'listener',
      'msg',
      'reason',
      'time',
    ])
  })
})
