/** Sockets that systemd opened: passed as it passes them, and refused where relyd.cfg says otherwise. */
import { once } from 'node:events'
import { readFileSync, statSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { hasOpenssl, TestCa } from '../support/certificates.js'
import { TestDaemon } from '../support/daemon.js'
import { type HeldSocket, SocketHolder, underHolder } from '../support/socket_holder.js'
import { Wire } from '../support/wire.js'

const TAKES_SOCKETS = fileURLToPath(new URL('../peers/takes_sockets.js', import.meta.url))

const sections = '[listener shop]\naddress = unix:{folder}/shop.sock\nmode = 0600\nrealm = shop'

test('each listener gets the socket of its name, whatever their order; others are opened', async () => {
  await using daemon = new TestDaemon({ under: underHolder, sections })
  await using holder = await SocketHolder.start(daemon, [
    { name: 'tcp', kind: 'tcp' },
    { name: 'site', kind: 'unix', address: daemon.socket, mode: '0620' },
  ])
  const before = statSync(daemon.socket)
  await daemon.start()
  expect(daemon.port).toBe(holder.ports[0])
  const ready = daemon.log.find(({ msg }) => msg === 'ready')
  expect(ready?.['passed']).toEqual(['tcp', 'site'])
  for (const where of [daemon.socket, { port: daemon.port }, `${daemon.folder}/shop.sock`]) {
    using wire = await Wire.connect(where)
    await wire.ok('ping')
  }
  expect(await daemon.stop()).toBe(0)
  // Whose they are, and whether they are there, is systemd's affair.
  const { ino, mode } = statSync(daemon.socket)
  expect({ ino, mode }).toEqual({ ino: before.ino, mode: before.mode })
  expect(statSync(`${daemon.folder}/shop.sock`, { throwIfNoEntry: false })).toBeUndefined()
})

test('sockets that were meant for another process are none of the daemon', async () => {
  await using daemon = new TestDaemon({ under: underHolder })
  await using _ = await SocketHolder.start(daemon, [{ name: 'foreign', kind: 'tcp' }], {
    LISTEN_PID: '1',
  })
  await daemon.start()
  using wire = await Wire.connect(daemon.socket)
  await wire.ok('ping')
})

test.each([
  ['a socket of another kind', '0 0002'],
  ['one at another path', '00010000 0001'],
])(
  "who forges a row of the kernel's table, of %s, keeps no daemon from starting",
  async (_, kind) => {
    await using daemon = new TestDaemon({ under: underHolder })
    const held: HeldSocket = { name: 'site', kind: 'unix', address: daemon.socket }
    await using _holder = await SocketHolder.start(daemon, [held])
    const rows = () => readFileSync('/proc/self/net/unix', 'utf8').split('\n')
    const inode = rows()
      .find((row) => row.endsWith(` ${daemon.socket}`))
      ?.split(/ +/)[6]
    // The kernel sorts by a hash: any local user may try until the row comes first.
    const tries: Server[] = []
    const isFirst = () =>
      rows()
        .find((row) => row.includes(` ${inode} `))
        ?.startsWith('forged')
    try {
      while (!isFirst() && tries.length < 1000) {
        const path = `${daemon.folder}/${tries.length}\nforged 0 0 ${kind} 01 ${inode} elsewhere`
        const server = createServer().listen(path)
        tries.push(server)
        await once(server, 'listening')
      }
      expect(isFirst()).toBe(true)
      await daemon.start()
      using wire = await Wire.connect(daemon.socket)
      await wire.ok('ping')
    } finally {
      for (const server of tries) server.close()
    }
  },
)

const good = (daemon: TestDaemon): HeldSocket => ({
  name: 'site',
  kind: 'unix',
  address: daemon.socket,
})

test('a daemon does not start with a socket that no listener wants', async () => {
  await using daemon = new TestDaemon({ under: underHolder })
  await using _ = await SocketHolder.start(daemon, [{ name: 'foreign', kind: 'tcp' }])
  await expect(daemon.start()).rejects.toThrow(/ended with 1: relyd: systemd passed .*foreign/)
})

test.each<
  [
    what: string,
    sockets: (daemon: TestDaemon) => HeldSocket[],
    message: RegExp,
    environment?: Record<string, string | null>,
  ]
>([
  [
    'a name that no listener has',
    (daemon) => [good(daemon), { name: 'relyd.socket', kind: 'tcp' }],
    /name relyd\.socket, and relyd\.cfg has no \[listener relyd\.socket\].*FileDescriptorName= .* one of site, tcp, shop/,
  ],
  [
    'two sockets of one name',
    (daemon) => [{ name: 'tcp', kind: 'tcp' }, { name: 'tcp', kind: 'tcp' }, good(daemon)],
    /two sockets with the name tcp.*FileDescriptorName=/,
  ],
  [
    'sockets without names',
    (daemon) => [good(daemon)],
    /1 sockets and 0 names.*FileDescriptorName=/,
    { LISTEN_FDNAMES: null },
  ],
  [
    'a number that is none',
    (daemon) => [good(daemon)],
    /LISTEN_FDS is "many"/,
    { LISTEN_FDS: 'many' },
  ],
  [
    'TCP for a Unix socket: without TLS nobody may come by it',
    () => [{ name: 'site', kind: 'tcp', address: '0.0.0.0' }],
    /\[listener site\].*it is at tcp:0\.0\.0\.0:\d+, and relyd\.cfg says address = unix:.*ListenStream=/,
  ],
  [
    'every address for the loopback address',
    () => [{ name: 'tcp', kind: 'tcp', address: '0.0.0.0' }],
    /\[listener tcp\].*it is at tcp:0\.0\.0\.0:\d+, and relyd\.cfg says address = tcp:127\.0\.0\.1:0/,
  ],
  [
    'every IPv6 address for the loopback address',
    () => [{ name: 'tcp', kind: 'tcp', address: '::' }],
    /\[listener tcp\].*it is at tcp:\[::\]:\d+/,
  ],
  [
    'another path',
    (daemon) => [{ ...good(daemon), address: `${daemon.folder}/other.sock` }],
    /it is at unix:.*other\.sock, and relyd\.cfg says address = unix:.*relyd\.sock/,
  ],
  [
    'datagrams',
    (daemon) => [{ ...good(daemon), kind: 'unix_dgram' }],
    /no listening stream socket/,
  ],
  [
    'packets',
    (daemon) => [{ ...good(daemon), kind: 'unix_seqpacket' }],
    /no listening stream socket/,
  ],
  ['UDP', () => [{ name: 'tcp', kind: 'udp' }], /no listening stream socket/],
  [
    'a socket that does not listen',
    (daemon) => [{ ...good(daemon), listens: false }],
    /no listening stream socket/,
  ],
  [
    "systemd's default mode, which lets in everybody",
    (daemon) => [{ ...good(daemon), mode: '0666' }],
    /has the mode 0666.*set SocketMode=0660/,
  ],
  [
    'the mode of a group where the listener is for one user',
    (daemon) => [{ ...good(daemon), name: 'shop', address: `${daemon.folder}/shop.sock` }],
    /\[listener shop\].*has the mode 0660.*set SocketMode=0600/,
  ],
  [
    'a socket whose file is gone',
    (daemon) => [{ ...good(daemon), removed: true }],
    /relyd\.sock was removed.*restart its socket unit/,
  ],
])('refused with its cure: %s', async (_what, sockets, message, environment) => {
  await using daemon = new TestDaemon({ under: underHolder, sections, program: TAKES_SOCKETS })
  await using _ = await SocketHolder.start(daemon, sockets(daemon), environment)
  await expect(daemon.start()).rejects.toThrow(message)
})

describe.skipIf(!hasOpenssl())('a listener with TLS', () => {
  test('gets through its handshakes over a passed socket', async () => {
    using ca = new TestCa()
    const server = ca.issue('server', { san: 'IP:127.0.0.1' })
    await using daemon = new TestDaemon({
      under: underHolder,
      sections: `[listener remote]
address = tcp:127.0.0.1:0
tls_certificate = ${server.certificate}
tls_key = ${server.key}
tls_client_ca = ${ca.certificate}
`,
    })
    await using holder = await SocketHolder.start(daemon, [{ name: 'remote', kind: 'tcp' }])
    await daemon.start()
    const port = holder.ports[0] as number
    expect(daemon.portOf(2)).toBe(port)
    const shop = ca.client(ca.issue('shop', { san: 'DNS:shop.example', usage: 'clientAuth' }))
    using wire = await Wire.connect({ port, tls: shop })
    await wire.ok('ping')
  })
})
