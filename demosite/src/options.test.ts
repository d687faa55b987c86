import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { readOptions } from './options.js'

const op = ['--op', 'https://op.example/realm']

test('without options the embedded OP and the default port are meant', () => {
  expect(readOptions([])).toEqual({
    help: false,
    port: undefined,
    op: undefined,
    client_id: undefined,
    client_secret: undefined,
    scope: ['openid', 'profile', 'email'],
  })
})

test('a secret comes from its file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'options-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'secret')
  writeFileSync(file, 'hush #;=\n')
  const options = readOptions([...op, '--client-id', 'me', '--client-secret-file', file])
  expect(options).toMatchObject({ client_id: 'me', client_secret: 'hush #;=' })
  writeFileSync(file, '\n')
  expect(() => readOptions([...op, '--client-id', 'me', '--client-secret-file', file])).toThrow(
    '--client-secret-file',
  )
})

test.each([
  [['--port', 'http'], '--port'],
  [['--port', '65536'], '--port'],
  [['--port', '-1'], '--port'],
  [['--port'], '--port'],
  [['--prot', '1'], '--prot'],
  [['stray'], 'stray'],
  [['--op', 'op.example'], '--op'],
  [['--op', 'http://op.example'], '--op'],
  [['--op', 'https://op.example/?a'], '--op'],
  [['--scope', 'profile'], '--scope'],
  [['--client-id', 'me'], '--client-id'],
  [[...op, '--client-id', 'me\n[oxd]'], '--client-id'],
  [[...op, '--client-secret-file', '/dev/null'], '--client-secret-file'],
  [[...op, '--client-id', 'me', '--client-secret-file', '/nowhere'], '--client-secret-file'],
])('%j is refused, naming %s', (argv, name) => {
  expect(() => readOptions(argv)).toThrow(name)
})

test('plain http is for an OP on this host', () => {
  expect(readOptions(['--op', 'http://localhost:8080']).op?.port).toBe('8080')
})
