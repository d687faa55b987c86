/** What a failing process still says: one fatal line with the stack, no secret, no property of the error. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { LogFormat } from '../../daemon/src/log.js'

const BUILT = fileURLToPath(new URL('../../daemon/dist/', import.meta.url))
const SECRET = 'a "secret" that is alive\n/+='
const MARKS = /alive|PROPERTY/

/** Runs the code in a process that guards itself as the daemon does. */
function run(code: string, format: LogFormat = 'json') {
  const program = `
    import { guardFailures, guardOutput } from '${BUILT}crash.js'
    import { live } from '${BUILT}live_secrets.js'
    import { openLog } from '${BUILT}log.js'
    const secret = ${JSON.stringify(SECRET)}
    live.note(secret)
    guardOutput()
    const log = await openLog('info', '${format}')
    guardFailures(log)
    function failing() {
      const cause = Object.assign(new Error('of ' + secret), { headers: { x: secret } })
      const error = new TypeError('because ' + secret, { cause })
      return Object.assign(error, { body: secret, other: 'PROPERTY', request: { secret } })
    }
    ${code}
    setTimeout(() => log.info('still here'), 60_000)`
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '--eval', program],
    { encoding: 'utf8' },
  )
  const lines = stdout.split('\n').filter((line) => line.startsWith('{'))
  return { status, stdout, stderr, lines: lines.map((line) => JSON.parse(line)) }
}

describe('a crash is one fatal line and exit code 1', () => {
  test.each([
    ['an exception', 'setImmediate(() => { throw failing() })', 'uncaught exception'],
    ['an exception at the top', 'throw failing()', 'exception|rejection'],
    ['a rejection', 'Promise.reject(failing())', 'unhandled rejection'],
    [
      'an event nobody listens to',
      "process.nextTick(() => process.stdin.emit('error', failing()))",
      'uncaught',
    ],
    [
      'several errors in one',
      'Promise.reject(new AggregateError([failing()], secret))',
      'rejection',
    ],
  ])('%s', (_, code, what) => {
    const { status, stdout, stderr, lines } = run(`log.info('before'); ${code}`)
    expect(stdout + stderr).not.toMatch(MARKS)
    expect(stderr).toBe('')
    expect(lines.map(({ level }) => level)).toEqual([30, 60])
    const { msg, stack, causes } = lines[1]
    expect(msg).toMatch(new RegExp(what))
    expect([stack, ...causes].join()).toMatch(/TypeError: because \[secret\]\n +at failing /)
    expect(causes.at(-1)).toMatch(/^Error: of \[secret\]\n +at failing /)
    expect(status).toBe(1)
  })

  test.each([
    ['a text', 'Promise.reject(secret)', '[secret]'],
    ['an object', 'Promise.reject({ secret, a: "PROPERTY" })', 'object thrown, not an Error'],
    ['nothing', 'Promise.reject()', 'undefined thrown, not an Error'],
    [
      'an error that fails when it is looked at',
      'Promise.reject(Object.defineProperty(failing(), "stack", { get() { throw failing() } }))',
      undefined,
    ],
  ])('thrown: %s', (_, code, stack) => {
    const { status, stdout, stderr, lines } = run(code)
    expect(stdout + stderr).not.toMatch(MARKS)
    expect(stderr).toBe('')
    expect(lines.map((line) => line.stack)).toEqual(stack === undefined ? [] : [stack])
    expect(status).toBe(1)
  })

  test('for a terminal as well, after the line before it', () => {
    const { status, stdout, stderr } = run(`log.info('before'); throw failing()`, 'pretty')
    expect(stdout + stderr).not.toMatch(MARKS)
    expect(stderr).toBe('')
    const [before, fatal, stack] = stdout.split('\n')
    expect(before).toMatch(/ INFO: before/)
    expect(fatal).toMatch(/ FATAL: crashed by an/)
    expect(stack).toMatch(/^ {4}TypeError: because \[secret\]$/)
    expect(status).toBe(1)
  })

  test('what JSON.parse quotes of its text is left out', () => {
    const { stdout, lines } = run(`JSON.parse('{"access_token":"half of alive')`)
    expect(lines[0].stack).toMatch(/^SyntaxError: .*JSON/)
    const { stdout: quoting } = run(`JSON.parse('{"access_token":alive}')`)
    expect(stdout + quoting).not.toMatch(MARKS)
  })
})

test('a warning of Node is a line of the log, and what is printed past the log is filtered', () => {
  const { status, stdout, stderr, lines } = run(`
    process.emitWarning(failing())
    console.log('printed', secret, { secret }, encodeURIComponent(secret))
    console.error(failing().message)
    process.stderr.write(Buffer.from('written ' + secret))
    setTimeout(() => process.exit(0), 50)`)
  expect(stdout + stderr).not.toMatch(MARKS)
  expect(stdout).toContain('printed [secret]')
  expect(stderr).toContain('because [secret]')
  expect(stderr).toContain('written [secret]')
  expect(lines).toMatchObject([{ level: 40, stack: expect.stringContaining('[secret]') }])
  expect(status).toBe(0)
})
