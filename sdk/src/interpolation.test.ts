/** References between values are bounded, and a fault in one shows no part of a secret. */
import { expect, test } from 'vitest'
import { CfgSection } from './cfg_section.js'
import { ConfigError } from './errors.js'
import { parseIniFile } from './ini_file.js'

function read(lines: string, key: string): string | undefined {
  const file = parseIniFile(`[client]\n${lines}\n`, 'site.cfg')
  return new CfgSection(file, 'client').get(key)?.value
}

test.each(['client_secret', 'idempotency_key', 'id'])('%s: no part of it is told', (key) => {
  for (const lines of [
    `${key} = ab%(hunter2)scd`,
    `${key} = %(mine)s\nmine = ab%(Hunter2)scd`,
    `${key} = ab%(hunter2)scd\nshown = %(${key})s`,
  ]) {
    const asked = lines.includes('shown') ? 'shown' : key
    const attempt = () => read(lines, asked)
    expect(attempt).toThrow(ConfigError)
    expect(attempt).toThrow(`"${asked}" refers to a key, which is neither in its section nor`)
    expect(attempt).not.toThrow(/hunter2/i)
  }
})

test('any other missing key is named', () => {
  expect(() => read('client_name = %(shop)s', 'client_name')).toThrow(
    'site.cfg:2: "client_name" refers to "shop", which is neither in its section nor in [DEFAULT]',
  )
})

/** `k0` takes `k1` twenty times, and so on. */
function bomb(last: string): string {
  const levels = Array.from({ length: 6 }, (_, at) => `k${at} = ${`%(k${at + 1})s`.repeat(20)}`)
  return `${levels.join('\n')}\nk6 = ${last}`
}

test.each([
  ['a character', 'x'],
  ['nothing at all', ''],
])('values that multiply %s are refused before they take long', (_, last) => {
  const began = performance.now()
  expect(() => read(bomb(last), 'k0')).toThrow('"k0" takes more than 65536 characters from')
  expect(performance.now() - began).toBeLessThan(1000)
})

test('up to 64 Ki characters come from others, and any number stands in the value itself', () => {
  const half = 'x'.repeat(32_768)
  expect(read(`a = %(b)s%(b)s${half}${half}\nb = ${half}`, 'a')).toHaveLength(4 * 32_768)
  expect(() => read(`a = %(b)s%(b)s\nb = ${half}x`, 'a')).toThrow(/more than 65536/)
})

test('many open references are refused at the first one', () => {
  const began = performance.now()
  expect(() => read(`a = ${'%('.repeat(200_000)}`, 'a')).toThrow(/has a single %/)
  expect(performance.now() - began).toBeLessThan(1000)
})
