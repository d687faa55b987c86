/** The key file is made once, private, and refused in words that say what to do. */
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Keyring } from './encryption.js'
import { StoreError } from './errors.js'
import { makeKeyFile, readKeyFile } from './key_file.js'

const KEY = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8'
const cell = { table: 'sites', column: 'secrets', row: 'a-site' }
let folder: string
let path: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'relyd-key-'))
  path = join(folder, 'relyd.key')
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(folder, { recursive: true })
})

function write(text: string, mode = 0o600): void {
  writeFileSync(path, text)
  chmodSync(path, mode)
}

function refusal(attempt: () => Keyring | undefined): StoreError {
  try {
    attempt()
  } catch (error) {
    if (error instanceof StoreError) return error
    throw error
  }
  throw new Error('not refused')
}

test('makes a file of mode 0600 in a folder of mode 0700, and nothing beside it', () => {
  path = join(folder, 'keys', 'relyd.key')
  const made = makeKeyFile(path)
  expect(statSync(path).mode & 0o777).toBe(0o600)
  expect(statSync(join(folder, 'keys')).mode & 0o777).toBe(0o700)
  expect(readdirSync(join(folder, 'keys'))).toEqual(['relyd.key'])
  expect(readKeyFile(path)?.open(made.seal('secret', cell), cell).toString()).toBe('secret')
})

test('tells in its first line what it is, and to back it up apart', () => {
  makeKeyFile(path)
  const [first] = readFileSync(path, 'utf8').split('\n')
  expect(first).toMatch(/^# Encryption keys of relyd.*Back this file up, apart from the database/)
})

test('keeps the key of whoever was first', () => {
  const first = makeKeyFile(path)
  const bytes = readFileSync(path)
  const second = makeKeyFile(path)
  expect(readFileSync(path)).toEqual(bytes)
  expect(second.open(first.seal('secret', cell), cell).toString()).toBe('secret')
  expect(readdirSync(folder)).toEqual(['relyd.key'])
})

test('makes a different key each time', () => {
  makeKeyFile(path)
  makeKeyFile(`${path}2`)
  expect(readFileSync(path)).not.toEqual(readFileSync(`${path}2`))
})

test('says that there is none', () => {
  expect(readKeyFile(path)).toBeUndefined()
})

test('reads several keys, comments, blank lines and CRLF; the first encrypts', () => {
  const other = `${KEY.slice(0, -2)}0A`
  write(`# comment\r\n\r\n  2025-b\t${KEY}\r\n# another\r\n2025-a ${other}`)
  const keys = readKeyFile(path)
  expect(keys?.current_id).toBe('2025-b')
  expect(keys?.has('2025-a')).toBe(true)
})

test.each([0o640, 0o604, 0o620, 0o666])('refuses mode %o and gives the cure', (mode) => {
  write(`a ${KEY}\n`, mode)
  const error = refusal(() => readKeyFile(path))
  expect(error.code).toBe('key_file')
  expect(error.message).toContain(`chmod 600 ${path}`)
  expect(error.message).toContain(`0${mode.toString(8)}`)
})

test("takes a systemd credential, whose ACL shows as the group's bits, but no public one", () => {
  vi.stubEnv('CREDENTIALS_DIRECTORY', folder)
  write(`a ${KEY}\n`, 0o440)
  expect(readKeyFile(path)?.current_id).toBe('a')
  chmodSync(path, 0o444)
  expect(refusal(() => readKeyFile(path)).code).toBe('key_file')
  vi.stubEnv('CREDENTIALS_DIRECTORY', join(folder, 'elsewhere'))
  chmodSync(path, 0o440)
  expect(refusal(() => readKeyFile(path)).code).toBe('key_file')
})

test.each([
  ['no id', KEY],
  ['a short key', `a ${KEY.slice(0, -4)}`],
  ['a long key', `a ${KEY}AAAA`],
  ['stray bits', `a ${KEY.slice(0, -1)}9`],
  ['standard base64', `a ${KEY.slice(0, -2)}+/`],
  ['something after the key', `a ${KEY} # mine`],
  ['a hostile id', `\x1b[2J ${KEY}`],
  ['a repeated id', `first ${KEY}`],
])('refuses %s with the line number, and does not show the line', (_, line) => {
  write(`# comment\nfirst ${KEY}\n${line}\n`)
  const error = refusal(() => readKeyFile(path))
  expect(error.code).toBe('key_file')
  expect(error.message).toContain(`${path}, line 3`)
  expect(error.message).not.toContain(KEY.slice(0, 12))
  expect(error.message).not.toContain('\x1b')
})

test.each(['', '# only a comment\n'])('refuses a file without a key', (text) => {
  write(text)
  expect(refusal(() => readKeyFile(path)).message).toContain(`${path} holds no key`)
})

test('refuses what is no file, and a place where none can be made', () => {
  expect(refusal(() => readKeyFile(folder)).message).toContain(folder)
  write(`a ${KEY}\n`)
  const beneath_a_file = join(path, 'relyd.key')
  expect(refusal(() => makeKeyFile(beneath_a_file)).message).toContain(beneath_a_file)
})
