/** A cfg changes as a whole, keeps what it was, and is left alone where this user may not write. */
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { isRoot } from '../../test/support/required.js'
import { changeFile, readText } from './cfg_file.js'
import { ConfigError } from './errors.js'

function newFile(text: string | Buffer, mode = 0o600): { folder: string; path: string } {
  const folder = mkdtempSync(join(tmpdir(), 'relyd-sdk-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'site.cfg')
  writeFileSync(path, text)
  chmodSync(path, mode)
  return { folder, path }
}

test.each([0o600, 0o640, 0o664])('the mode stays %o, and nothing else is left behind', (mode) => {
  const { folder, path } = newFile('one', mode)
  changeFile(path, (text) => `${text} two`)
  expect(readFileSync(path, 'utf8')).toBe('one two')
  expect(statSync(path).mode & 0o777).toBe(mode)
  expect(readdirSync(folder)).toEqual(['site.cfg'])
})

test('the file is replaced, so that one who reads it meanwhile sees the old one whole', () => {
  const { path } = newFile('one')
  const before = statSync(path).ino
  changeFile(path, () => 'two')
  expect(statSync(path).ino).not.toBe(before)
})

test('a change that changes nothing does not touch the file', () => {
  const { path } = newFile('one')
  const before = statSync(path).ino
  changeFile(path, (text) => text)
  expect(statSync(path).ino).toBe(before)
})

test('a symbolic link stays one', () => {
  const { folder, path } = newFile('one')
  const link = join(folder, 'link.cfg')
  symlinkSync('site.cfg', link)
  changeFile(link, () => 'two')
  expect(lstatSync(link).isSymbolicLink()).toBe(true)
  expect(readFileSync(path, 'utf8')).toBe('two')
})

test.skipIf(!isRoot())('the owner stays, where the system lets this user set it', () => {
  const { path } = newFile('one', 0o640)
  chownSync(path, 1234, 2345)
  changeFile(path, () => 'two')
  expect(statSync(path)).toMatchObject({ uid: 1234, gid: 2345 })
  expect(statSync(path).mode & 0o777).toBe(0o640)
})

test('a file that is not UTF-8 is refused instead of being spoilt', () => {
  const { path } = newFile(Buffer.from('# Z\xfcrich\n', 'latin1'))
  expect(() => readText(path)).toThrow(ConfigError)
  expect(() => changeFile(path, (text) => text)).toThrow(/not UTF-8/)
})
