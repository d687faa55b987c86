/** Restarts under socket activation: nobody who connects is turned away, and no login is lost. */
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Op, startOp } from '../../demosite/src/op.js'
import { JsonDecoder } from '../../sdk/src/framing/index.js'
import { Client } from '../../sdk/src/index.js'
import { TestDaemon } from '../support/daemon.js'
import { EndUser } from '../support/end_user.js'
import { declined } from '../support/site.js'
import { SocketHolder, underHolder } from '../support/socket_holder.js'
import type { Reply } from '../support/wire.js'

const RESTARTS = 3
const SITES = 2
const PASSERS_BY = 2

let op: Op

beforeAll(async () => {
  op = await startOp()
})

afterAll(() => op.close())

test('restarts turn nobody away and lose no login', async () => {
  await using daemon = new TestDaemon({ under: underHolder })
  await using _ = await SocketHolder.start(daemon, [
    { name: 'site', kind: 'unix', address: daemon.socket },
  ])
  await daemon.start()
  const clients = await Promise.all(
    Array.from({ length: SITES }, (_, n) => startSite(daemon, `site${n}`)),
  )
  let running = true
  const untilTheEnd = async (once: () => Promise<void>): Promise<number> => {
    let times = 0
    for (; running; times += 1) await once()
    return times
  }
  const under_way = [
    ...clients.map((client) => untilTheEnd(() => logInAndDecline(client))),
    ...Array.from({ length: PASSERS_BY }, () => untilTheEnd(() => passBy(daemon.socket))),
  ]
  // What fails ends the restarts too.
  const failed = Promise.all(under_way).then(() => {})
  const restarts = async () => {
    for (let restart = 0; restart < RESTARTS; restart += 1) {
      const [client] = clients as [Client]
      const login = await client.getAuthorizationUrl()
      const callback = await new EndUser().logIn(login.authorization_url)
      expect(await daemon.stop()).toBe(0)
      // While there is no daemon at all, too.
      const waiting = [passBy(daemon.socket), logInAndDecline(client)]
      const completed = client.getTokensByCallback({
        callback,
        cookie: login.set_cookie.split(';', 1)[0],
      })
      await daemon.start()
      expect((await completed).sub).toBe('alice')
      await Promise.all(waiting)
    }
    running = false
  }
  await Promise.all([restarts(), failed])
  const times = await Promise.all(under_way)
  expect(Math.min(...times)).toBeGreaterThan(RESTARTS)
  await Promise.all(clients.map((client) => client.close()))
}, 90_000)

test('who connected while a daemon is killed and the next one starts is served', async () => {
  await using daemon = new TestDaemon({ under: underHolder })
  await using _ = await SocketHolder.start(daemon, [
    { name: 'site', kind: 'unix', address: daemon.socket },
  ])
  await daemon.start()
  await daemon.signal('SIGKILL')
  // More than Node's own queue, of which a daemon of before may have left the length.
  const waiting = Array.from({ length: 600 }, () => passBy(daemon.socket))
  await daemon.start()
  await Promise.all(waiting)
}, 60_000)

async function startSite(daemon: TestDaemon, name: string): Promise<Client> {
  const cfg = join(daemon.folder, `${name}.cfg`)
  writeFileSync(
    cfg,
    `[oxd]\nsocket = ${daemon.socket}\n[client]\nop_host = ${op.issuer}\nauthorization_redirect_uri = http://site.example/callback\n`,
  )
  const client = new Client(cfg)
  await client.registerSite()
  return client
}

/** A login whose callback is answered, by this daemon or the next: the End-User has declined. */
async function logInAndDecline(client: Client): Promise<void> {
  const { state, binding } = await client.getAuthorizationUrl()
  await expect(
    client.getTokensByCallback({ callback: declined(op, state), binding }),
  ).rejects.toMatchObject({ code: 'op_error' })
}

/** A client of twenty lines, which connects for one command and has no patience of its own. */
async function passBy(path: string): Promise<void> {
  const socket = connect(path)
  await once(socket, 'connect')
  socket.write('{"id":1,"command":"ping"}\n')
  const { status, data } = await firstReply(socket)
  // A draining daemon says that another will follow.
  if (status !== 'ok') expect(data).toMatchObject({ error: 'shutting_down', retryable: true })
}

async function firstReply(socket: Socket): Promise<Reply> {
  const decoder = new JsonDecoder()
  for await (const chunk of socket) {
    const [frame] = decoder.push(chunk as Buffer)
    if (frame && 'message' in frame) return frame.message as Reply
  }
  throw new Error('closed without an answer')
}
