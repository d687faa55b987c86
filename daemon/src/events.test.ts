/** Who gets which event, and that nothing is left of who went. */
import { beforeEach, expect, test } from 'vitest'
import { type DaemonEvent, EventHub, eventNames, MOST_SITES, type Subscriber } from './events.js'
import { hideExpiringId, makeExpiringId, parseExpiringId, refOf } from './store/expiring_id.js'

class Peer implements Subscriber {
  gone = false
  readonly got: DaemonEvent[] = []

  deliver(event: DaemonEvent): void {
    this.got.push(event)
  }
}

const session_key = hideExpiringId(parseExpiringId(makeExpiringId(2_000_000_000)) as Buffer)
const session_ref = refOf(session_key)
const session = { oxd_id: 'shop', session_key, issuer: 'https://op', sub: 'alice', sid: null }

let hub: EventHub

beforeEach(() => {
  hub = new EventHub()
})

test('a session’s end is told to the site’s subscribers, and to each once', () => {
  const [one, two, other] = [new Peer(), new Peer(), new Peer()]
  hub.subscribe(one, 'shop', eventNames)
  hub.subscribe(one, 'shop', eventNames)
  hub.subscribe(two, 'shop', eventNames)
  hub.subscribe(other, 'blog', eventNames)
  hub.sessionEnded({ ...session, sid: 's1' })
  const event = {
    event: 'logout',
    data: { oxd_id: 'shop', session_ref, issuer: 'https://op', sub: 'alice', sid: 's1' },
  }
  expect([one.got, two.got, other.got]).toEqual([[event], [event], []])
})

test('a session without a sid is told without one', () => {
  const peer = new Peer()
  hub.subscribe(peer, 'shop', eventNames)
  hub.sessionEnded(session)
  expect(peer.got[0]?.data).toEqual({
    oxd_id: 'shop',
    session_ref,
    issuer: 'https://op',
    sub: 'alice',
  })
})

test.each<[string, (peer: Peer) => void]>([
  ['asked for nothing', (peer) => hub.subscribe(peer, 'shop', [])],
  ['is gone', (peer) => hub.forget(peer)],
  ['lost its site', () => hub.forgetSite('shop')],
])('a peer that %s gets nothing, and nothing is kept of it', (_, end) => {
  const peer = new Peer()
  hub.subscribe(peer, 'shop', eventNames)
  expect(hub.has(peer)).toBe(true)
  end(peer)
  hub.sessionEnded(session)
  expect(peer.got).toEqual([])
  expect(hub.has(peer)).toBe(false)
  expect(hub.isEmpty).toBe(true)
})

test('a peer that closed while it subscribed is not kept', () => {
  const peer = new Peer()
  peer.gone = true
  expect(hub.subscribe(peer, 'shop', eventNames)).toBe(true)
  expect(hub.isEmpty).toBe(true)
})

test('the sites of one connection are bounded', () => {
  const peer = new Peer()
  for (let site = 0; site < MOST_SITES; site += 1) {
    expect(hub.subscribe(peer, `site ${site}`, eventNames)).toBe(true)
  }
  expect(hub.subscribe(peer, 'one more', eventNames)).toBe(false)
  expect(hub.subscribe(peer, 'site 7', eventNames)).toBe(true)
  expect(hub.subscribe(peer, 'site 7', [])).toBe(true)
  expect(hub.subscribe(peer, 'one more', eventNames)).toBe(true)
  hub.forget(peer)
  expect(hub.isEmpty).toBe(true)
})
