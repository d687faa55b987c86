/** Secrets come from files of their own, which are checked before they are believed. */
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { ConfigError } from './errors.js'
import { ensureIdempotencyKey } from './idempotency_key.js'
import { readSiteConfig } from './site_config.js'

const KEY = 'k'.repeat(43)
const CLIENT =
  '[client]\nauthorization_redirect_uri = https://site.example/callback\nclient_id = x\n'
const warn = vi.spyOn(process, 'emitWarning')
let folder: string

beforeEach(() => {
  warn.mockImplementation(() => {})
  folder = mkdtempSync(join(tmpdir(), 'relyd-sdk-'))
})

afterEach(() => {
  warn.mockReset()
  rmSync(folder, { recursive: true, force: true })
})

function newCfg(text: string): string {
  const path = join(folder, 'site.cfg')
  writeFileSync(path, text, { mode: 0o600 })
  return path
}

function newSecret(contents: string | Buffer, mode = 0o600): string {
  const path = join(folder, 'secret')
  writeFileSync(path, contents)
  chmodSync(path, mode)
  return path
}

test.each([
  ['no line ending', 'a b;#%(x)s'],
  ['a line ending', 'a b;#%(x)s\n'],
  ["Windows' line ending and byte order mark", '\uFEFFa b;#%(x)s\r\n'],
])('a client_secret is the one line of its file, with %s', (_, contents) => {
  newSecret(contents)
  const path = newCfg(`${CLIENT}client_secret_file = ./secret\n`)
  expect(readSiteConfig(path, {}).registration).toMatchObject({ client_secret: 'a b;#%(x)s' })
  expect(warn).not.toHaveBeenCalled()
})

test('the environment names another file, and a secret and its file replace one another', () => {
  const file = newSecret('from the file')
  const both = newCfg(`${CLIENT}client_secret = from the cfg\n`)
  const read = (env: object) => readSiteConfig(both, { ...env }).registration.client_secret
  expect(read({ RELYD_CLIENT_SECRET_FILE: file })).toBe('from the file')
  const path = newCfg(`${CLIENT}client_secret_file = secret\n`)
  expect(readSiteConfig(path, { RELYD_CLIENT_SECRET: 'x' }).registration.client_secret).toBe('x')
})

test('a file that every user may read is warned about', () => {
  const file = newSecret('x', 0o644)
  readSiteConfig(newCfg(`${CLIENT}client_secret_file = secret\n`), {})
  expect(warn.mock.calls.map(([message]) => message)).toEqual([
    `${folder}/site.cfg:4: "client_secret_file": every user of this host may read ${file}; "chmod o= ${file}"`,
  ])
})

test.each([
  ['none', undefined, /cannot be read \(ENOENT\); correct the path, or let this user read it/],
  ['a folder', 'folder', /is no file; name one that holds the secret/],
  ['a pipe', 'pipe', /is no file/],
  ['an empty one', '', /is empty; write the secret into it/],
  ['an empty line', '\n', /is empty/],
  ['a large one', 'x'.repeat(4097), /has more than 4096 bytes/],
  ['two lines', 'a\nb\n', /must hold one line of text/],
  ['two line endings', 'a\n\n', /must hold one line of text/],
  ['other bytes', Buffer.from('\xff\xfea', 'latin1'), /must hold one line of text/],
])('%s is refused, naming line, file and cure', (_, contents, message) => {
  const file = join(folder, 'secret')
  if (contents === 'folder') mkdirSync(file)
  else if (contents === 'pipe') spawnSync('mkfifo', [file])
  else if (contents !== undefined) newSecret(contents)
  const path = newCfg(`${CLIENT}client_secret_file = secret\n`)
  const attempt = () => readSiteConfig(path, {})
  expect(attempt).toThrow(ConfigError)
  expect(attempt).toThrow(`${path}:4: "client_secret_file": ${file} `)
  expect(attempt).toThrow(message)
})

test('a secret and its file together are refused, also in the environment', () => {
  newSecret('x')
  const path = newCfg(`${CLIENT}client_secret_file = secret\nclient_secret = y\n`)
  expect(() => readSiteConfig(path, {})).toThrow(`${path}:4: "client_secret_file" and "client_secr`)
  const env = { RELYD_CLIENT_SECRET_FILE: 'secret', RELYD_CLIENT_SECRET: 'y' }
  expect(() => readSiteConfig(newCfg(CLIENT), env)).toThrow('RELYD_CLIENT_SECRET_FILE: ')
})

test('an idempotency key comes from a file as well', () => {
  const file = newSecret(`${KEY}\n`)
  const path = newCfg(`[oxd]\nidempotency_key_file = secret\n${CLIENT}`)
  expect(ensureIdempotencyKey(path)).toEqual({ idempotency_key: KEY })
  expect(readSiteConfig(path, {})).toMatchObject({ id: undefined, given: undefined })
  const bare = newCfg(CLIENT)
  const env = { RELYD_IDEMPOTENCY_KEY_FILE: file }
  expect(readSiteConfig(bare, env).given).toEqual({
    idempotency_key: KEY,
    variable: 'RELYD_IDEMPOTENCY_KEY_FILE',
  })
})

test('no message says a secret', () => {
  newSecret('hunter2\nhunter3')
  const path = newCfg(`${CLIENT}client_secret_file = secret\n`)
  expect(() => readSiteConfig(path, {})).toThrow(
    expect.objectContaining({ message: expect.not.stringContaining('hunter') }),
  )
})
