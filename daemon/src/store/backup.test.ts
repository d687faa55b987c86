/** A backup is a whole copy of one moment, alone in its file, and never costs another file. */
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { isRoot } from '../../../test/support/required.js'
import { putSession, putSite, Stored } from '../../../test/support/stored.js'
import { makeBackup } from './backup.js'
import { openDatabase } from './database.js'
import { openKept } from './kept_database.js'
import { SCHEMA_VERSION } from './migrations/migrate.js'
import { checkBackup } from './restore.js'

let stored: Stored
let backups: string
let file: string

beforeEach(() => {
  stored = new Stored()
  backups = join(stored.folder, 'backups')
  mkdirSync(backups)
  file = join(backups, 'one.db')
})
afterEach(() => stored[Symbol.dispose]())

function backup(to = file, force = false) {
  return makeBackup({ ...stored, file: to, force })
}

test('is one private file with every row, made while the store is open and written to', async () => {
  await stored.with(async (store) => {
    await putSite(store, 'shop')
    const session_id = await putSession(store, 'shop')
    const made = backup()
    await putSite(store, 'later')
    expect(made).toMatchObject({
      file,
      bytes: statSync(file).size,
      schema: SCHEMA_VERSION,
      rows: { sites: 1, logins: 0, sessions: 1 },
    })
    expect(made.key_ids).toEqual([readFileSync(stored.key_file, 'utf8').match(/^\w{8}(?= )/m)?.[0]])
    expect(await store.getSession(session_id, 'shop', 1)).toBeDefined()
  })
  expect(readdirSync(backups)).toEqual(['one.db'])
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(checkBackup({ ...stored, file }).rows.sites).toBe(1)
  // A file that needs no log can be read where nothing can be written.
  expect(stored.read('PRAGMA journal_mode', file)).toEqual([['delete']])
})

test('leaves no long log behind, which the next commit would have to put away', async () => {
  await stored.with(async (store) => {
    await putSite(store, 'logged')
    backup()
    const alone = join(stored.folder, 'alone.db')
    copyFileSync(stored.database, alone)
    expect(stored.read('SELECT oxd_id FROM sites', alone)).toEqual([['logged']])
  })
})

test('leaves out what was deleted', async () => {
  const secret = 'ab'.repeat(2000)
  await stored.with((store) => putSite(store, 'shop'))
  stored.execute(`PRAGMA secure_delete = 0; CREATE TABLE t (x); INSERT INTO t VALUES ('${secret}');
    DELETE FROM t; DROP TABLE t`)
  expect(readFileSync(stored.database, 'latin1')).toContain('ababababab')
  backup()
  expect(readFileSync(file, 'latin1')).not.toContain('ababababab')
})

describe('refuses', () => {
  beforeEach(() => stored.with((store) => putSite(store, 'shop')))

  test('to replace a file, but for a backup when it is told to', async () => {
    backup()
    const before = readFileSync(file)
    expect(() => backup()).toThrow(
      `${file} exists; choose another name, or replace it with --force`,
    )
    await stored.with((store) => putSite(store, 'blog'))
    expect(readFileSync(file)).toEqual(before)
    expect(backup(file, true).rows.sites).toBe(2)
  })

  test.each([
    ['the database', () => stored.database],
    ['the database by a second name', () => hardLink(stored.database)],
    ['the key file', () => stored.key_file],
    ['another file', () => textFile()],
    ['a folder', () => backups],
    ['a link', () => link()],
  ])('to replace %s, even by force', (_, name) => {
    const target = name()
    const before = existsSync(target) && statSync(target).isFile() ? readFileSync(target) : null
    expect(() => backup(target, true)).toThrow(/not replaced|copy of both/)
    if (before) expect(readFileSync(target)).toEqual(before)
    expect(readdirSync(dirname(target)).filter((one) => one.includes('draft'))).toEqual([])
  })

  test("the key file's folder, and those above it", () => {
    for (const folder of [join(stored.folder, 'keys'), stored.folder]) {
      expect(() => backup(join(folder, 'b.db'))).toThrow('a copy of one would be a copy of both')
    }
  })

  test('a folder that is not there, and a database that is not', () => {
    expect(() => backup(join(backups, 'none', 'b.db'))).toThrow('There is no folder')
    const database = join(stored.folder, 'other.db')
    expect(() => makeBackup({ ...stored, database, file, force: false })).toThrow('no database')
    expect(existsSync(database)).toBe(false)
  })

  test('a database that is broken', () => {
    const bytes = readFileSync(stored.database)
    bytes.fill(0xff, 4096 * 2, 4096 * 12)
    writeFileSync(stored.database, bytes)
    expect(() => backup()).toThrow(/Cannot copy|no whole database/)
    expect(readdirSync(backups)).toEqual([])
  })

  function hardLink(path: string): string {
    linkSync(path, file)
    return file
  }

  function textFile(): string {
    writeFileSync(file, 'precious')
    return file
  }

  function link(): string {
    symlinkSync('/nowhere', file)
    return file
  }
})

test('what a killed one left is removed by the next, and what another is writing is not', async () => {
  await stored.with((store) => putSite(store, 'shop'))
  backup()
  const token = 'abcdefghi-_1'
  const drafts = {
    old: `yesterday.db-draft-${token}`,
    empty: `empty.db-draft-${token}`,
    young: `one.db-draft-${token}`,
    foreign: `letter-draft-${token}`,
  }
  for (const name of [drafts.old, drafts.young]) copyFileSync(file, join(backups, name))
  writeFileSync(join(backups, drafts.empty), '')
  writeFileSync(
    join(backups, drafts.foreign),
    'Dear Sir, this is a draft of another kind of program. '.repeat(9),
  )
  const two_hours_ago = Date.now() / 1000 - 7200
  for (const name of [drafts.old, drafts.empty, drafts.foreign]) {
    utimesSync(join(backups, name), two_hours_ago, two_hours_ago)
  }
  rmSync(file)
  backup()
  expect(readdirSync(backups).sort()).toEqual([drafts.foreign, 'one.db', drafts.young].sort())
})

test.skipIf(!isRoot())('root leaves nothing behind that shuts the daemon out', async () => {
  await stored.with((store) => putSite(store, 'shop'))
  const folder = dirname(stored.database)
  chmodSync(stored.folder, 0o755)
  for (const name of ['', ...readdirSync(folder)]) chownSync(join(folder, name), 1234, 1235)
  const { db } = openDatabase(stored.database, 1)
  db.exec('CREATE TABLE t (x)')
  backup()
  const owners = readdirSync(folder).map((name) => {
    const { uid, gid } = statSync(join(folder, name))
    return [name, uid, gid]
  })
  db.close()
  expect(owners).toEqual([
    ['relyd.db', 1234, 1235],
    ['relyd.db-lock', 1234, 1235],
    ['relyd.db-shm', 1234, 1235],
    ['relyd.db-wal', 1234, 1235],
  ])
})

test('the log becomes small again after somebody has read for long', async () => {
  await stored.with((store) => putSite(store, 'shop'))
  const { db } = openDatabase(stored.database, 1)
  const reader = openKept(stored.database, { readonly: true })
  reader.exec('BEGIN')
  reader.prepare('SELECT count(*) FROM sites').get()
  db.exec('CREATE TABLE t (x)')
  const grow = db.prepare('INSERT INTO t VALUES (zeroblob(1000000))')
  for (let n = 0; n < 70; n += 1) grow.run()
  const log = () => statSync(`${stored.database}-wal`).size
  expect(log()).toBeGreaterThan(68_000_000)
  reader.close()
  for (let n = 0; n < 3; n += 1) grow.run()
  expect(log()).toBeLessThan(68_000_000)
  db.close()
})
