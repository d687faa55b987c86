import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startOp } from '../../demosite/src/op.js'
import { TestDaemon } from '../support/daemon.js'
import { hasStrace } from '../support/required.js'
import { declined, registerIssued } from '../support/site.js'
import { Wire } from '../support/wire.js'

const TURNS = 20

test('the store is opened with PRAGMA synchronous = 2 (FULL)', async () => {
  await using daemon = await TestDaemon.start()
  const opened = daemon.log.find(({ msg }) => msg === 'store open')
  expect(opened).toMatchObject({ synchronous: 2, journal_mode: 'wal' })
})

test.skipIf(!hasStrace())('strace sees each acknowledging write after its fdatasync', async () => {
  const op = await startOp()
  const daemon = new TestDaemon({
    under: ['strace', '-D', '-f', '-y', '-s', '64', '-o', '{folder}/strace', '-e', CALLS],
  })
  try {
    await daemon.start()
    {
      using wire = await Wire.connect(daemon.socket)
      const oxd_id = await registerIssued(wire, op)
      for (let turn = 0; turn < TURNS; turn += 1) {
        const { state, binding } = await wire.ok('get_authorization_url', { oxd_id })
        await wire.refused('get_tokens_by_callback', {
          oxd_id,
          callback: declined(op, state),
          binding,
        })
      }
    }
    await daemon.stop()
    const trace = join(daemon.folder, 'strace')
    await expect.poll(() => readFileSync(trace, 'utf8'), { timeout: 5000 }).toMatch(/exited with 0/)
    const commands = acknowledgements(readFileSync(trace, 'utf8'))
    expect(commands).toHaveLength(1 + 2 * TURNS)
    expect(commands.filter(({ synced }) => !synced)).toEqual([])
  } finally {
    await daemon[Symbol.asyncDispose]()
    await op.close()
  }
})

const CALLS = 'trace=read,write,writev,sendto,sendmsg,fdatasync,fsync'

/**
 * Every request that reached the daemon and its reply: whether the log was synced in between. One
 * connection with one request at a time, so that they follow each other in the trace.
 */
function acknowledgements(trace: string): { reply: string; synced: boolean }[] {
  const found: { reply: string; synced: boolean }[] = []
  let synced = false
  for (const line of trace.split('\n')) {
    if (/ read\(\d+<(UNIX|socket)[^>]*>.*\{\\"id\\"/.test(line)) synced = false
    if (/ f(data)?sync\(\d+<[^>]*relyd\.db-wal>/.test(line)) synced = true
    if (/ (write|writev|sendto|sendmsg)\(\d+<(UNIX|socket).*\\"status\\"/.test(line)) {
      found.push({ reply: line, synced })
    }
  }
  return found
}
