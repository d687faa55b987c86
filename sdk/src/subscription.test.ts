/** Listeners on a daemon that has its own ideas: how often it is asked, and what the website is told. */
import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { listen, newFolder, type Peer, type Request, stop } from '../../test/support/bent_daemon.js'
import { encodeMsgpack } from './framing/index.js'
import { Client } from './index.js'

function newClient(path: string, id = 'site-7'): Client {
  const cfg = join(dirname(path), 'site.cfg')
  writeFileSync(
    cfg,
    `[oxd]\nsocket = ${path}\nid = ${id}\n[client]\nauthorization_redirect_uri = https://site.example/callback\n`,
  )
  const client = new Client(cfg)
  onTestFinished(() => client.close())
  return client
}

function send({ socket }: Request, event: string, data: object): void {
  socket.write(encodeMsgpack({ event, data }))
}

/** What the SDK warned of. */
function warnings(): string[] {
  const told: string[] = []
  const note = ({ name, message }: Error) => {
    if (name === 'RelydEventWarning') told.push(message)
  }
  process.on('warning', note)
  onTestFinished(() => void process.off('warning', note))
  return told
}

const subscribed = ({ seen }: Peer) => seen.filter((command) => command === 'subscribe').length

test('an event that overtakes the reply is heard; unknown ones and those of other sites are not', async () => {
  const peer = await listen((request) => {
    send(request, 'logout', { oxd_id: 'site-7', sub: 'early' })
    send(request, 'logout', { oxd_id: 'site-8', sub: 'other' })
    send(request, 'earthquake', { oxd_id: 'site-7', sub: 'unknown' })
    request.ok({ events: ['logout'] })
    send(request, 'logout', { oxd_id: 'site-7', sub: 'late' })
  })
  const heard: string[] = []
  newClient(peer.path).on('logout', ({ sub }) => heard.push(sub))
  await expect.poll(() => heard).toEqual(['early', 'late'])
})

test('a listener is called once however often it was added, and may remove itself', async () => {
  let subscriber: Request | undefined
  const peer = await listen((request) => {
    if (request.command === 'subscribe') subscriber = request
    request.ok({})
  })
  const client = newClient(peer.path)
  const heard: string[] = []
  const once = () => {
    heard.push('once')
    client.off('logout', once)
  }
  const always = () => heard.push('always')
  client.on('logout', once).on('logout', always).on('logout', always)
  await expect.poll(() => subscribed(peer)).toBe(1)
  for (let n = 0; n < 2; n += 1) send(subscriber as Request, 'logout', { oxd_id: 'site-7' })
  await expect.poll(() => heard).toEqual(['once', 'always', 'always'])
})

test('a daemon that closes each connection once it has answered is not stormed', async () => {
  const peer = await listen(({ ok, socket }) => {
    ok({})
    socket.end()
  })
  newClient(peer.path).on('logout', () => {})
  await expect.poll(() => subscribed(peer)).toBeGreaterThan(2)
  const began = performance.now()
  const before = subscribed(peer)
  await expect.poll(() => performance.now() - began).toBeGreaterThan(500)
  expect(subscribed(peer) - before).toBeLessThan(8)
})

test('an answer over a new connection ends the wait for the next attempt', async () => {
  const path = join(newFolder(), 'relyd.sock')
  const told = warnings()
  const old = await listen(({ refuse }) => refuse('unsupported_operation'), path)
  const client = newClient(path)
  client.on('logout', () => {})
  // By then the next attempt is more than a second away.
  await expect.poll(() => subscribed(old), { timeout: 10_000 }).toBe(6)
  stop(old)
  const peer = await listen(({ ok }) => ok({}), path)
  await expect.poll(() => client.ping().then(() => true)).toBe(true)
  const began = performance.now()
  await expect.poll(() => subscribed(peer)).toBe(1)
  expect(performance.now() - began).toBeLessThan(500)
  expect(told).toEqual([expect.stringMatching(/sends no events.*it is unsupported_operation/)])
})

test('a site without a daemon is told why it hears nothing', async () => {
  const told = warnings()
  newClient(join(newFolder(), 'relyd.sock')).on('logout', () => {})
  await expect.poll(() => told, { timeout: 5000 }).toHaveLength(1)
  expect(told[0]).toMatch(/there is no socket .*systemctl status relyd/)
})

test('a closed client hears nothing, asks for nothing and warns of nothing', async () => {
  const told = warnings()
  const peer = await listen(({ ok }) => ok({}))
  const client = newClient(peer.path)
  client.on('logout', () => {})
  await client.close()
  client.on('logout', () => {})
  await new Promise(setImmediate)
  expect(peer.seen).toEqual([])
  expect(told).toEqual([])
})
