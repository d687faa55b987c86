/** Root has the rights of whoever decides where a path leads, and no others. */
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { isRoot } from '../../test/support/required.js'
import { asOwner, asOwnerOf, ownerOf } from './as_owner.js'
import { StartError } from './start_error.js'

const UID = 1234

let folder: string
let his: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'relyd-as-owner-'))
  chmodSync(folder, 0o755)
  his = join(folder, 'his')
  mkdirSync(join(his, 'own'), { recursive: true })
})
afterEach(() => rmSync(folder, { recursive: true }))

test('nobody but root has rights to lend', () => {
  if (process.getuid?.() === 0) return
  expect(ownerOf('/root/file')).toBeUndefined()
  expect(asOwnerOf('/root/file', () => 5)).toBe(5)
})

describe.runIf(isRoot())('root', () => {
  beforeEach(() => {
    chownSync(his, UID, UID)
  })

  test('is itself where only root decides', () => {
    mkdirSync(join(folder, 'roots'))
    symlinkSync('roots', join(folder, 'link'))
    for (const path of ['file', 'none/file', 'link/file', '../', 'his']) {
      expect(ownerOf(join(folder, path))?.uid).toBe(path === 'his' ? UID : undefined)
    }
  })

  test.each<[string, string]>([
    ['in his folder', 'his/file'],
    ['in a folder of root in it, which he could move away', 'his/own/file'],
    ['by a link of root that leads there', 'link/file'],
    ['by a link that leads back there', 'back/his/file'],
    ['where there is nothing yet', 'his/a/b/c'],
  ])('is the owner %s', (_, path) => {
    symlinkSync('his/own', join(folder, 'link'))
    mkdirSync(join(folder, 'deep'))
    symlinkSync('deep/..', join(folder, 'back'))
    const owner = { uid: UID, gid: 65_534, folder: his, name: `user ${UID}` }
    expect(ownerOf(join(folder, path))).toEqual(owner)
  })

  test('is the owner of what leads on from a folder for everybody, and makes no file there', () => {
    const open = join(folder, 'open')
    mkdirSync(join(open, 'his'), { recursive: true })
    mkdirSync(join(open, 'roots'))
    symlinkSync(folder, join(open, 'link'))
    writeFileSync(join(open, 'file'), '')
    chmodSync(open, 0o1777)
    chownSync(join(open, 'his'), UID, UID)
    expect(ownerOf(join(open, 'his', 'file'))?.uid).toBe(UID)
    expect(ownerOf(join(open, 'roots', 'file'))).toBeUndefined()
    expect(ownerOf(join(open, 'link', 'file'))).toBeUndefined()
    for (const name of ['file', 'none']) {
      expect(() => ownerOf(join(open, name))).toThrow(/everybody may make files in .*use a folder/)
    }
  })

  test.each([
    ['its group', 0o775],
    ['everybody', 0o757],
  ])('refuses a folder of its own that %s may write to', (_, mode) => {
    const open = join(folder, 'open')
    mkdirSync(open)
    chownSync(open, 0, UID)
    chmodSync(open, mode)
    expect(() => ownerOf(join(open, 'file'))).toThrow(StartError)
    expect(() => ownerOf(join(open, 'file'))).toThrow(/others may write to it too.*chmod go-w/)
  })

  test('acts with the rights of the owner, is root again within and after, also after an error', () => {
    const secret = join(folder, 'secret')
    writeFileSync(secret, '', { mode: 0o600 })
    const owner = ownerOf(his)
    const ids = () => [process.geteuid?.(), process.getegid?.(), process.getgroups?.()]
    const before = ids()
    asOwner(owner, () => {
      expect(ids()).toEqual([UID, 65_534, [65_534]])
      writeFileSync(join(his, 'file'), '')
      expect(() => writeFileSync(secret, 'x')).toThrow('EACCES')
      asOwnerOf(secret, () => {
        expect(ids()).toEqual(before)
        writeFileSync(secret, 'y')
      })
      expect(ids()).toEqual([UID, 65_534, [65_534]])
    })
    expect(statSync(join(his, 'file'))).toMatchObject({ uid: UID, gid: 65_534 })
    expect(() => asOwner(owner, () => writeFileSync(secret, 'x'))).toThrow(
      `(as user ${UID}, to whom ${his} belongs)`,
    )
    expect(ids()).toEqual(before)
  })

  test('has the groups of an owner who has a name', () => {
    const nobody = 65_534
    chownSync(his, nobody, 0)
    const owner = ownerOf(his)
    expect(owner).toMatchObject({ uid: nobody, name: 'nobody', gid: nobody })
    asOwner(owner, () => expect(process.getgroups?.()).not.toContain(0))
  })
})
