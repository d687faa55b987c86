/** The request_id in a site's error finds the lines that the daemon logged for the request, and no others. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openKept } from '../../daemon/src/store/kept_database.js'
import { answers, BentOp, BentSite, json, reset } from '../support/bent_op/index.js'
import { type LogLine, TestDaemon } from '../support/daemon.js'
import { type Reply, Wire } from '../support/wire.js'

let daemon: TestDaemon
let op: BentOp
let wire: Wire
let site: BentSite

beforeAll(async () => {
  daemon = await TestDaemon.start({ daemon: { log_level: 'debug' } })
  op = await BentOp.start()
  wire = await Wire.connect(daemon.socket)
  site = await BentSite.register(wire, op)
})

afterAll(async () => {
  wire[Symbol.dispose]()
  await daemon[Symbol.asyncDispose]()
  await op[Symbol.asyncDispose]()
})

/** The lines of a request, once its last one has come. */
async function linesOf({ request_id }: { request_id: string }): Promise<LogLine[]> {
  expect(request_id).toMatch(/^[0-9a-z]{8}-\d+$/)
  const found = () => daemon.log.filter((line) => line['request_id'] === request_id)
  await expect.poll(() => found().at(-1)?.msg).toMatch(/^(command|refused)$/)
  return found()
}

const outline = (lines: LogLine[]) => lines.map(({ level, msg }) => [level, msg])

test('a refused command has its parameters and its outcome', async () => {
  const refused = await wire.refused('get_site', { oxd_id: 'nobody' })
  const lines = await linesOf(refused)
  expect(outline(lines)).toEqual([
    [20, 'request'],
    [30, 'command'],
  ])
  expect(lines[1]).toMatchObject({ command: 'get_site', outcome: 'invalid_oxd_id' })
})

test('an OP that fails is told of, with its host and why', async () => {
  const { data } = await site.attempt({ bends: { token: () => reset } })
  const lines = await linesOf(data)
  expect(outline(lines)).toEqual([
    [20, 'request'],
    [40, 'OP call'],
    [30, 'command'],
  ])
  expect(lines[1]).toMatchObject({
    op: new URL(op.issuer).host,
    outcome: 'op_unreachable',
    why: expect.stringContaining('the connection broke'),
  })
  expect(lines[2]).toMatchObject({ outcome: 'op_unreachable', op_calls: 1 })
})

test.each([
  ['invalid_client', 'invalid_client'],
  ['words of the OP', undefined],
])('what an OP refuses is told of by its code, not by its words: %s', async (error, code) => {
  const answer = json({ error, error_description: 'words of the OP' }, 401)
  const { data } = await site.attempt({ bends: { token: answers(answer) } })
  const lines = await linesOf(data)
  expect(lines[1]).toMatchObject({
    level: 30,
    msg: 'OP call',
    outcome: 'refused',
    http_status: 401,
  })
  expect(lines[2]).toMatchObject({ msg: 'command', outcome: 'op_error' })
  expect(lines[2]?.['op_error']).toBe(code)
  expect(JSON.stringify(lines)).not.toContain('of the OP')
})

test('a failure that nobody foresaw has its stack in the log, and a request_id for the site', async () => {
  const broken = await BentSite.register(wire, op)
  const db = openKept(`${daemon.folder}/state/store/relyd.db`)
  // Read past the cache, by another site than the one that was just registered.
  db.prepare("UPDATE sites SET client = 'no JSON' WHERE oxd_id = ?").run(broken.oxd_id)
  db.close()
  await daemon.stop()
  await daemon.start()
  wire[Symbol.dispose]()
  wire = await Wire.connect(daemon.socket)
  site = new BentSite(wire, op, site.oxd_id)
  const refused = await wire.refused('get_site', { oxd_id: broken.oxd_id })
  expect(refused).toMatchObject({ error: 'internal_error', retryable: false })
  expect(refused.details).toBeUndefined()
  expect(refused.error_description).toContain(refused.request_id)
  const lines = await linesOf(refused)
  expect(outline(lines)).toEqual([
    [20, 'request'],
    [50, 'failed'],
    [30, 'command'],
  ])
  expect(lines[1]?.['stack']).toContain('SyntaxError')
})

describe('what was no command to be run has one as well', () => {
  test.each([
    ['a broken frame', '{"id":1}\n', 'invalid_frame'],
    ['one that is not JSON', 'x}\n', 'invalid_frame'],
  ])('%s', async (_, frame, error) => {
    using other = await Wire.connect(daemon.socket)
    await other.ok('ping')
    other.socket.write(frame)
    const { data } = await other.nextUnasked()
    expect(data.error).toBe(error)
    const [line, ...more] = await linesOf(data)
    expect(line).toMatchObject({ msg: 'refused', realm: 'default', outcome: error })
    expect(more).toEqual([])
  })
})

test('commands side by side keep their ids apart, and no id comes twice, over a restart neither', async () => {
  const ask = () => {
    const failing = Array.from({ length: 20 }, () => site.wire.call('get_site', { oxd_id: 'x' }))
    return Promise.all(failing)
  }
  const before = await ask()
  await daemon.stop()
  await daemon.start()
  wire[Symbol.dispose]()
  wire = await Wire.connect(daemon.socket)
  site = new BentSite(wire, op, site.oxd_id)
  const replies: Reply[] = [...before, ...(await ask())]
  const ids = replies.map(({ data }) => data.request_id)
  expect(new Set(ids).size).toBe(40)
  expect(new Set(ids.map((id) => id.split('-')[0])).size).toBe(2)
  for (const { data } of replies) expect(await linesOf(data)).toHaveLength(2)
})

test('what runs in the background is on nobody’s behalf', () => {
  const lines = daemon.log.filter(({ msg }) => ['ready', 'store open', 'stopped'].includes(msg))
  expect(lines.length).toBeGreaterThan(1)
  expect(lines.filter((line) => 'request_id' in line)).toEqual([])
})
