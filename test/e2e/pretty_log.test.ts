/** A daemon whose log is for a terminal: readable, and as tight-lipped and harmless as the one for the journal. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { type Bend, BentOp, BentSite, json } from '../support/bent_op/index.js'
import { TestDaemon } from '../support/daemon.js'
import { Wire } from '../support/wire.js'

const HOSTILE =
  '\x1b[2J\x1b]0;x\x07\r\n[00:00:00.000] FATAL: forged\n\x7f\x9b31m\u2028\u202Etxt.exe\u2066'

/** Everything that the OP was told, said back, among what moves terminals. */
const echo: Bend = (_, { headers, body }) => {
  const form = [...new URLSearchParams(body).values()].join(' ')
  const error_description = `${HOSTILE} ${headers.authorization} ${form} ${JSON.stringify({ form })}`
  return json({ error: HOSTILE, error_description }, 400)
}

test('it shows no secret at any level, and moves no terminal', async () => {
  await using daemon = await TestDaemon.start({
    daemon: { log_format: 'pretty', log_level: 'trace' },
  })
  await using op = await BentOp.start()
  using wire = await Wire.connect(daemon.socket)
  const site = await BentSite.register(wire, op, { client_name: HOSTILE })
  const login = await site.accepts()
  const begun = await site.begin()
  op.bend({ token: echo })
  const refused = await wire.refused('get_tokens_by_callback', begun)
  op.straighten()
  await wire.refused(HOSTILE, { [HOSTILE]: HOSTILE })
  await daemon.stop()
  const { output } = daemon

  // What is searched is there at all.
  expect(output).toMatch(/^\[[\d:.]{12}\] INFO \(\d+\): ready \{/m)
  expect(output).toMatch(/DEBUG: request \{.*"client_name":"\?\[2J/)
  expect(output).toContain(`"request_id":"${refused.request_id}"`)
  expect(output).toMatch(/INFO: stopped/)

  expect(output).not.toMatch(/[^\P{Cc}\n]|[\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u)
  for (const line of output.split('\n')) expect(line).toMatch(/^(\[[\d:.]{12}\] (?!FATAL)| {4}|$)/)
  const { session_id, access_token, id_token, oxd_id } = { ...login, oxd_id: site.oxd_id }
  const secrets = [...op.secrets, session_id, access_token, id_token, begun.binding, oxd_id]
  expect(secrets.filter((secret) => secret && output.includes(secret))).toEqual([])
})

test('log_format = auto is for people on a terminal, and JSON elsewhere', async () => {
  const other = new TestDaemon()
  await using _ = other
  await other.start()
  expect(other.log.at(-1)).toMatchObject({ msg: 'ready' })
  await other.stop()
  const command = `'${process.execPath}' '${other.program}' serve --config '${other.config}'`
  // A terminal of its own.
  const child = spawn('script', ['-qefc', command, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const ended = once(child, 'close')
  let shown = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text
  })
  const pid = () => Number(/INFO.* \((\d+)\): .*ready/.exec(shown)?.[1])
  try {
    await expect.poll(pid, { timeout: 10_000 }).toBeGreaterThan(1)
    expect(shown).not.toContain('"msg"')
    process.kill(pid(), 'SIGTERM')
    await ended
    expect(shown).toMatch(/: .*stopped/)
  } finally {
    child.kill()
  }
})
