/** One site floods the daemon in every way it can, and another site's users notice nothing. */
import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Op, startOp } from '../../demosite/src/op.js'
import { BentOp, hang } from '../support/bent_op/index.js'
import { TestDaemon } from '../support/daemon.js'
import { EndUser } from '../support/end_user.js'
import { issuedSite, redirect_uri } from '../support/site.js'
import { Wire } from '../support/wire.js'

/** `npm run test:interop` has four times as many: 100,000 as S20 has it. */
const LOGIN_STARTS = 100_000
const LOGINS = 25

let op: Op
let slow: BentOp
let daemon: TestDaemon

beforeAll(async () => {
  op = await startOp()
  slow = await BentOp.start()
  daemon = await TestDaemon.start({
    record: false,
    memory: true,
    daemon: { op_timeout: 2 },
    sections: `[realm default]
pending_logins_per_site = 3000
pending_logins = 4000
registrations_per_minute = 50
requests_per_site = 400
op_calls_per_site = 16`,
  })
})

afterAll(async () => {
  await daemon[Symbol.asyncDispose]()
  await Promise.all([op.close(), slow[Symbol.asyncDispose]()])
})

/** A connection that writes for as long as the daemon takes it, and counts what comes back. */
class Flood implements Disposable {
  readonly outcomes: Record<string, number> = {}
  readonly #socket: Socket

  /** @param next the next line to send, or undefined at the end */
  constructor(next: () => string | undefined, onData?: (data: Record<string, string>) => void) {
    const socket = connect(daemon.socket)
    this.#socket = socket
    const write = () => {
      for (let room = true; room && !socket.destroyed; ) {
        const line = next()
        if (line === undefined) break
        room = socket.write(line)
      }
    }
    socket.on('connect', write).on('drain', write)
    socket.on('error', () => socket.destroy())
    // A readline interface passes its socket's errors on.
    const lines = createInterface(socket).on('error', () => {})
    lines.on('line', (text) => {
      const { data } = JSON.parse(text)
      const outcome = data.error ?? 'ok'
      this.outcomes[outcome] = (this.outcomes[outcome] ?? 0) + 1
      onData?.(data)
    })
  }

  get replies(): number {
    return Object.values(this.outcomes).reduce((sum, one) => sum + one, 0)
  }

  /** Reads nothing from now on. */
  deafen(): this {
    this.#socket.pause()
    return this
  }

  [Symbol.dispose](): void {
    this.#socket.destroy()
  }
}

function line(command: string, params: object): string {
  return `${JSON.stringify({ id: 1, command, params })}\n`
}

test('S20 none of its logins is lost or refused, and memory stays where it was', {
  timeout: 120_000,
}, async () => {
  using calm = await Wire.connect(daemon.socket, 'msgpack')
  using wild = await Wire.connect(daemon.socket)
  const site = await calm.ok('register_site', {
    op_host: op.issuer,
    authorization_redirect_uri: redirect_uri,
  })
  const { oxd_id } = await wild.ok('register_site', { ...issuedSite(slow), login_binding: 'none' })
  slow.bend({ token: () => hang })

  const unfinished: string[] = []
  let started = 0
  const start = line('get_authorization_url', { oxd_id })
  const starts = () => {
    started += 1
    return started <= LOGIN_STARTS ? start : undefined
  }
  using logins = new Flood(starts, ({ authorization_url }) => {
    if (authorization_url && unfinished.length < 2000) unfinished.push(authorization_url)
  })
  using more_logins = new Flood(starts)
  using registrations = new Flood(() => line('register_site', issuedSite(slow)))
  // The OP never answers, so that each of these takes a place for as long as op_timeout.
  using callbacks = new Flood(() => {
    const state = new URL(unfinished.pop() ?? redirect_uri).searchParams.get('state') ?? 'none'
    const answer = new URLSearchParams({ state, code: 'a code', iss: slow.issuer })
    return line('get_tokens_by_callback', { oxd_id, callback: `${redirect_uri}?${answer}` })
  })
  using deaf = new Flood(() => start).deafen()
  using nonsense = new Flood(() => '{"command":\n{}\n[]\n')

  await expect.poll(() => logins.outcomes['quota_exceeded'], { timeout: 30_000 }).toBeGreaterThan(0)
  const users = Array.from({ length: LOGINS }, async () => {
    const login = await calm.ok('get_authorization_url', { oxd_id: site.oxd_id })
    const callback = await new EndUser().logIn(login.authorization_url)
    const { sub } = await calm.ok('get_tokens_by_callback', {
      oxd_id: site.oxd_id,
      callback,
      binding: login.binding,
    })
    return sub
  })
  expect(await Promise.all(users)).toEqual(Array(LOGINS).fill('alice'))

  // The flood goes on to its end, and memory with it stays where it was.
  const replies = (wanted: number) =>
    expect
      .poll(() => logins.replies + more_logins.replies, { timeout: 90_000, interval: 20 })
      .toBeGreaterThanOrEqual(wanted)
  await replies(LOGIN_STARTS / 4)
  const kept = await daemon.keptMib()
  await replies(LOGIN_STARTS)
  // A kilobyte kept of each further start would show.
  await daemon.expectKept(kept, 16)
  for (const [flood, refusals] of [
    [logins, ['quota_exceeded']],
    [registrations, ['quota_exceeded']],
    [nonsense, ['invalid_frame']],
  ] as const) {
    for (const refusal of refusals) expect(flood.outcomes[refusal], refusal).toBeGreaterThan(0)
    expect(flood.outcomes['internal_error']).toBeUndefined()
  }
  const { op_unreachable = 0, quota_exceeded = 0 } = callbacks.outcomes
  expect(op_unreachable + quota_exceeded).toBeGreaterThan(0)
  expect(deaf.replies).toBe(0)
  expect(daemon.log.filter(({ level }) => level >= 50)).toEqual([])
  await calm.ok('ping')
})

test('the daemon stops at once when it is told to, flooded or not', async () => {
  using _flood = new Flood(() => line('ping', {}))
  using wire = await Wire.connect(daemon.socket)
  await wire.ok('ping')
  expect(await daemon.stop()).toBe(0)
  await wire.closed
})
