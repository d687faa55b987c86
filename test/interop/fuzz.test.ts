/** Tens and hundreds of thousands of nearly right frames leave the daemon as it was. Seeded: FC_SEED=N looks elsewhere. */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Op, startOp } from '../../demosite/src/op.js'
import { TestDaemon } from '../support/daemon.js'
import { EndUser } from '../support/end_user.js'
import { fuzzedFrame, type Known, lyingFrame } from '../support/fuzz.js'
import { exchange, openings, repliesIn } from '../support/peer.js'
import { openDescriptors } from '../support/process.js'
import { Random } from '../support/random.js'
import { declined, redirect_uri, registerIssued } from '../support/site.js'
import { type DialectName, Wire } from '../support/wire.js'

/** Of each dialect; `npm run test:interop` sends ten times as many. */
const FRAMES = 200_000
const FRAMES_OF_CONNECTION = 250
const CONNECTIONS = 6

/** Connections after which the sites are new: some were removed. */
const SITES_LAST = 40

/** MiB that the daemon may have grown by; a leak of 128 bytes a frame takes 25 in 200,000. */
const GROWTH = 16

const seed = fc.readConfigureGlobal().seed as number

let op: Op
let daemon: TestDaemon

beforeAll(async () => {
  op = await startOp()
  daemon = await TestDaemon.start({
    record: false,
    memory: true,
    daemon: { default_op: op.issuer },
  })
})

afterAll(async () => {
  await daemon[Symbol.asyncDispose]()
  await op.close()
})

/** A whole login. @returns its session */
async function logIn(): Promise<string> {
  using wire = await Wire.connect(daemon.socket)
  const { oxd_id } = await wire.ok('register_site', { authorization_redirect_uri: redirect_uri })
  const { authorization_url, binding } = await wire.ok('get_authorization_url', { oxd_id })
  const callback = await new EndUser().logIn(authorization_url)
  const { session_id, sub } = await wire.ok('get_tokens_by_callback', { oxd_id, callback, binding })
  expect(sub).toBe('alice')
  return session_id
}

/** Sites, sessions and logins to be used up. */
async function prepare(): Promise<Known> {
  using wire = await Wire.connect(daemon.socket)
  const sites = await Promise.all(Array.from({ length: 20 }, () => registerIssued(wire, op)))
  const callbacks = sites.map(async (oxd_id) => {
    const { state } = await wire.ok('get_authorization_url', { oxd_id })
    return declined(op, state)
  })
  return { sites, sessions: [await logIn()], callbacks: await Promise.all(callbacks) }
}

/** One connection's frames: the first is right, the last may lie about its length. */
function framesOf(dialect: DialectName, connection: number, known: Known): Buffer[] {
  const random = new Random(seed, connection, dialect.length)
  const { encode } = openings[dialect]
  const frames = [encode({ id: 'first', command: 'ping', params: {} })]
  while (frames.length < FRAMES_OF_CONNECTION) frames.push(fuzzedFrame(dialect, random, known))
  if (dialect === 'msgpack' && random.oneIn(2))
    frames[frames.length - 1] = lyingFrame(random, known)
  return frames
}

/** Sends the frames, cut anywhere. @returns what came back; nothing, if the daemon is gone */
function send(dialect: DialectName, connection: number, frames: Buffer[]): Promise<Buffer> {
  const bytes = Buffer.concat([openings[dialect].magic, ...frames])
  const random = new Random(seed, connection)
  const [one, other] = [random.below(bytes.length), random.below(bytes.length)].sort(
    (a, b) => a - b,
  )
  return exchange(daemon.socket, [
    bytes.subarray(0, one),
    bytes.subarray(one, other),
    bytes.subarray(other),
  ])
}

const INTERNAL_ERROR = 'internal_error'

/** Whether the daemon failed: it said so, or the first request of the connection got no answer. */
function failed(replies: Buffer): boolean {
  return replies.includes(INTERNAL_ERROR) || !replies.includes('first')
}

/** Sends the frames one by one, to find which of them it was. @param suspects by their connection */
async function explain(dialect: DialectName, suspects: Map<number, Buffer[]>): Promise<string> {
  await daemon.signal('SIGKILL')
  await daemon.start()
  const where = `FC_SEED=${seed}, ${dialect}, connections ${[...suspects.keys()]}`
  for (const [connection, [first, ...rest]] of suspects as Map<number, [Buffer, ...Buffer[]]>) {
    for (const frame of rest) {
      if (failed(await send(dialect, connection, [first, frame]))) {
        return `${where}: it is this frame of ${connection}: ${frame.toString('hex')}`
      }
    }
  }
  const hex = [...suspects.values()].map((frames) => Buffer.concat(frames).toString('hex'))
  return `${where}: no frame fails alone; by connection they are\n${hex.join('\n')}`
}

function count(dialect: DialectName, replies: Buffer): number {
  if (dialect === 'msgpack') return repliesIn(dialect, replies).length
  let lines = 0
  for (let at = replies.indexOf(10); at !== -1; at = replies.indexOf(10, at + 1)) lines += 1
  return lines
}

describe.each<DialectName>(['json', 'msgpack'])('%s', (dialect) => {
  test(`${FRAMES} frames, and the daemon is as it was`, { timeout: 300_000 }, async () => {
    const { pid } = daemon
    let known = prepare()
    await known
    const descriptors = openDescriptors(pid)
    const kept = await daemon.keptMib()
    let [sent, answered, next] = [0, 0, 0]
    const underWay = new Map<number, Buffer[]>()
    let failure: Promise<string> | undefined
    const fuzz = async () => {
      while (sent < FRAMES && !failure) {
        const connection = next
        next += 1
        if (connection % SITES_LAST === SITES_LAST - 1) known = prepare()
        const frames = framesOf(dialect, connection, await known)
        sent += frames.length
        underWay.set(connection, frames)
        const replies = await send(dialect, connection, frames)
        if (failed(replies)) failure ??= explain(dialect, new Map(underWay))
        underWay.delete(connection)
        answered += count(dialect, replies)
      }
    }
    await Promise.all(Array.from({ length: CONNECTIONS }, fuzz))
    if (failure) throw new Error(await failure)

    expect(sent).toBeGreaterThanOrEqual(FRAMES)
    // A blank line has no answer, nor has a frame that announces more than comes.
    expect(answered).toBeGreaterThan(FRAMES * 0.98)
    await logIn()
    expect(daemon.pid).toBe(pid)
    expect(daemon.log.filter(({ level }) => level >= 50)).toEqual([])
    const open = () => openDescriptors(pid)
    await expect.poll(open, { timeout: 15_000, interval: 20 }).toBeLessThanOrEqual(descriptors)
    await daemon.expectKept(kept, GROWTH)
  })
})
