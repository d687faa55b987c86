import fc from 'fast-check'
import { expect, test } from 'vitest'
import { live } from './live_secrets.js'
import { createLog } from './log.js'
import { prettyLines } from './log_pretty.js'

/** The lines that a log writes. */
function lines(): { log: ReturnType<typeof createLog>; written: string[] } {
  const written: string[] = []
  return { log: createLog('trace', { write: (line) => written.push(line) }), written }
}

/** What it writes for a terminal. */
function pretty(): { log: ReturnType<typeof createLog>; written: string[] } {
  const written: string[] = []
  const stream = { write: (text: string) => written.push(text), flush() {}, flushSync() {} }
  return { log: createLog('trace', prettyLines(stream, false)), written }
}

/** What a terminal obeys, or what splits a line. */
const OBEYED = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u

test('no line moves a terminal, and none loses a character', () => {
  const { log, written } = lines()
  const hostile = '\x1b[2J\x07\r\n\x7f\x9b31m\u2028\u202Etxt\u2066\uFEFF\u{E0041}\uD800 é❤👩‍👩‍👧'
  log.info({ [hostile]: hostile }, hostile)
  const line = written[0] as string
  expect(line.endsWith('\n')).toBe(true)
  expect(line.slice(0, -1)).not.toMatch(OBEYED)
  expect(JSON.parse(line)).toMatchObject({ [hostile]: hostile, msg: hostile })
  expect(line).toContain('é❤')
})

test('a line with a secret of any characters stays one line of JSON, without it', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme', minLength: 8, maxLength: 20 }),
      fc.string({ unit: 'grapheme' }),
      (value, around) => {
        // Marked, so that it does not also stand in words of the log itself.
        const secret = `${value}#\\"\n`
        live.note(secret)
        const { log, written } = lines()
        log.info({ member: around + secret + around, list: [{ [secret]: secret }] }, 'what')
        expect(written).toHaveLength(1)
        const line = written[0] as string
        expect(line.slice(0, -1)).not.toMatch(OBEYED)
        expect(JSON.parse(line)).toMatchObject({ level: 30, msg: 'what' })
        expect(JSON.stringify(JSON.parse(line))).not.toContain(JSON.stringify(secret).slice(1, -1))
      },
    ),
    { numRuns: 50 },
  )
})

test('nobody takes the line of a command out of the log by a secret that is called like it', () => {
  for (const word of ['register_site', 'internal_error', '"level":30', 'a1b2c3d4', '12345678']) {
    live.note(word)
  }
  const { log, written } = lines()
  const own = { command: 'register_site', outcome: 'internal_error', site: 'a1b2c3d4' }
  log.info({ ...own, why: 'a1b2c3d4', ms: 12345678 }, 'command')
  expect(JSON.parse(written[0] as string)).toMatchObject({
    ...own,
    level: 30,
    msg: 'command',
    why: '[secret]',
    ms: '[secret]',
  })
})

test('a child of the log is filtered as well, and an error shows none of its properties', () => {
  live.note('the-secret-of-a-child')
  const { log, written } = lines()
  log.child({ of: 'the-secret-of-a-child' }).warn('the-secret-of-a-child too')
  log.error(Object.assign(new Error('the-secret-of-a-child'), { body: 'not known to be secret' }))
  expect(written).toHaveLength(2)
  expect(written.join('')).not.toMatch(/of-a-child[" ]|not known/)
  expect(written[1]).toContain('log.test.ts')
})

test('for a terminal no line moves it, and none pretends to be a line of the log', () => {
  const { log, written } = pretty()
  const hostile =
    '\x1b[2J\x07\r\n[00:00:00.000] FATAL: forged\n"stack": "\\q"\x7f\x9b31m\u2028\u202Etxt\uFEFF\uD800 é❤'
  log.info({ [hostile]: hostile, deep: [{ [hostile]: hostile }] }, hostile)
  log.error({ stack: `Error: ${hostile}\n    at there`, causes: [hostile, hostile] }, 'failed')
  const text = written.join('')
  expect(text.replaceAll('\n', '')).not.toMatch(OBEYED)
  expect(text).toContain('é❤')
  const of_the_log = text.split('\n').filter((line) => line !== '' && !line.startsWith('    '))
  expect(of_the_log).toHaveLength(2)
  expect(of_the_log[0]).toMatch(/^\[[\d:.]{12}\] INFO: /)
  expect(of_the_log[1]).toMatch(/^\[[\d:.]{12}\] ERROR: failed/)
  expect(text).toContain('\n        at there\n')
})

test('for a terminal no line shows a secret of any characters', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme', minLength: 8, maxLength: 20 }),
      fc.string({ unit: 'grapheme' }),
      (value, around) => {
        const secret = `${value}#\\"\n`
        live.note(secret)
        const { log, written } = pretty()
        const stack = around + secret + around
        log.info({ member: secret, list: [{ [secret]: secret }], stack, causes: [stack] }, stack)
        const text = written.join('')
        expect(text).toMatch(/INFO: /)
        // As it is, and as JSON has it, with its backslashes doubled or not.
        const json = JSON.stringify(secret).slice(1, -1)
        for (const form of [secret, json, json.replaceAll('\\\\', '\\'), value]) {
          if (!around.includes(form) && form.length > 8) expect(text).not.toContain(form)
        }
      },
    ),
    { numRuns: 50 },
  )
})
