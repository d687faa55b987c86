import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { readSecretFile } from './secret_file.js'

const folder = mkdtempSync(join(tmpdir(), 'relyd-secret-'))

afterAll(() => rmSync(folder, { recursive: true }))

test('a pipe that nobody writes into holds nobody up', () => {
  const path = join(folder, 'pipe')
  execFileSync('mkfifo', ['-m', '600', path])
  expect(() => readSecretFile(path)).toThrow(`${path} is no file`)
})

test('a file that is open to others is not read', () => {
  const path = join(folder, 'file')
  writeFileSync(path, 'text', { mode: 0o600 })
  expect(readSecretFile(path)).toBe('text')
  execFileSync('chmod', ['640', path])
  expect(() => readSecretFile(path)).toThrow('chmod 600')
})
