/** A restore puts a good backup in the place of a database that nobody uses, and loses neither. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chownSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { isRoot } from '../../../test/support/required.js'
import { putSession, putSite, Stored } from '../../../test/support/stored.js'
import { makeBackup } from './backup.js'
import { openKept } from './kept_database.js'
import { addKey } from './key_admin.js'
import { SCHEMA_VERSION } from './migrations/migrate.js'
import { occupyAlone } from './occupancy.js'
import { openStore } from './open.js'
import { checkBackup, restore } from './restore.js'

const now = new Date('2026-11-23T12:34:56.789Z')
let stored: Stored
let file: string
let kept: string

beforeEach(async () => {
  stored = new Stored()
  mkdirSync(join(stored.folder, 'backups'))
  file = join(stored.folder, 'backups', 'one.db')
  kept = `${stored.database}.before-restore-20261123T123456Z`
  await stored.with((store) => putSite(store, 'backed-up'))
  makeBackup({ ...stored, file, force: false })
  await stored.with((store) => putSite(store, 'later'))
})
afterEach(() => stored[Symbol.dispose]())

const doRestore = () => restore({ ...stored, file, now })

const SITES = 'SELECT oxd_id FROM sites ORDER BY oxd_id'

test('brings the backup back, keeps what was there, and the store opens', async () => {
  const { dev } = statSync(stored.database)
  expect(doRestore()).toMatchObject({ kept, schema: SCHEMA_VERSION, rows: { sites: 1 } })
  expect(readdirSync(dirname(stored.database)).sort()).toEqual(
    ['relyd.db', 'relyd.db-lock', 'relyd.db.before-restore-20261123T123456Z'].sort(),
  )
  expect(statSync(stored.database)).toMatchObject({ dev, mode: 0o100600, nlink: 1 })
  expect(stored.read(SITES, kept)).toEqual([['backed-up'], ['later']])
  await stored.with(async (store) => {
    const site = await store.getSite('backed-up', 'default')
    expect(site?.secrets.client_secret).toBe('secret of backed-up')
    expect(await store.getSite('later', 'default')).toBeUndefined()
  })
  // And the other way round.
  expect(restore({ ...stored, file: kept, now: new Date() }).rows.sites).toBe(2)
})

test('puts a database where none was, of the folder’s owner', async () => {
  rmSync(dirname(stored.database), { recursive: true })
  const is_root = process.getuid?.() === 0
  if (is_root) giveAll(1234)
  expect(doRestore().kept).toBeUndefined()
  const made = [dirname(stored.database), stored.database, `${stored.database}-lock`]
  for (const path of made) expect(statSync(path).uid).toBe(is_root ? 1234 : process.getuid?.())
  await stored.with((store) => store.getSite('backed-up', 'default'))
})

test.skipIf(!isRoot())('is of the owner of the one that was there', () => {
  giveAll(1234)
  doRestore()
  for (const path of [stored.database, `${stored.database}-lock`, kept]) {
    expect(statSync(path)).toMatchObject({ uid: 1234, mode: 0o100600 })
  }
})

function giveAll(uid: number): void {
  for (const name of ['', ...readdirSync(stored.folder, { recursive: true })]) {
    chownSync(join(stored.folder, String(name)), uid, uid)
  }
}

test("brings a dead daemon's log into what is kept, and none of it into what is restored", async () => {
  const place = dirname(stored.database)
  const copy = join(stored.folder, 'copy')
  await stored.with(async (store) => {
    await putSite(store, 'in-the-log')
    mkdirSync(copy)
    // What SIGKILL would leave.
    for (const name of readdirSync(place)) copyFileSync(join(place, name), join(copy, name))
  })
  rmSync(place, { recursive: true })
  renameSync(copy, place)
  expect(statSync(`${stored.database}-wal`).size).toBeGreaterThan(0)
  doRestore()
  expect(stored.read(SITES, kept)).toEqual([['backed-up'], ['in-the-log'], ['later']])
  expect(stored.read(SITES)).toEqual([['backed-up']])
  expect(stored.read('PRAGMA integrity_check')).toEqual([['ok']])
})

test('works where the present database is broken, and keeps it with its log as it is', () => {
  writeFileSync(stored.database, 'no database'.repeat(1000))
  writeFileSync(`${stored.database}-wal`, 'no log')
  const before = readFileSync(stored.database)
  doRestore()
  expect(readFileSync(kept)).toEqual(before)
  expect(readFileSync(`${kept}-wal`, 'utf8')).toBe('no log')
  expect(stored.read(SITES)).toEqual([['backed-up']])
})

test('a restore that was killed half-way leaves no second name of the present database', () => {
  const second = `${stored.database}.before-restore-20200101T000000Z`
  const earlier = `${stored.database}.before-restore-20190101T000000Z`
  linkSync(stored.database, second)
  copyFileSync(stored.database, earlier)
  doRestore()
  expect([second, earlier, kept].map((path) => existsSync(path))).toEqual([false, true, true])
  expect(doRestore().kept).toBe(`${kept}-2`)
})

describe('is refused, and changes nothing,', () => {
  let before: Map<string, Buffer>
  const place = () => dirname(stored.database)
  const files = () => {
    const names = readdirSync(place()).filter((name) => !/-(lock|wal|shm)$/.test(name))
    return new Map(names.map((name) => [name, readFileSync(join(place(), name))]))
  }

  function refused(why: RegExp | string): void {
    before = files()
    expect(doRestore).toThrow(why)
    expect(files()).toEqual(before)
  }

  test('while a daemon has the database open', async () => {
    await stored.with(async (store) => {
      refused(/in use: stop the daemon first \(systemctl stop/)
      await putSite(store, 'and-goes-on')
    })
    expect(stored.read(SITES)).toHaveLength(3)
  })

  test('while any other program has it open', () => {
    const other = openKept(stored.database)
    other.prepare(SITES).all()
    refused('in use')
    other.close()
  })

  test('when the key of the backup is missing, or another of its name', () => {
    const keys = readFileSync(stored.key_file, 'utf8')
    const [, id, key = ''] = /^(\w{8}) (\S+)$/m.exec(keys) ?? []
    writeFileSync(stored.key_file, keys.replace(String(id), '00000000'))
    refused(new RegExp(`encrypted with ${id}, and .* does not hold that key; restore the key file`))
    writeFileSync(stored.key_file, keys.replace(key, `${'A'.repeat(42)}A`))
    refused(new RegExp(`${id} .* is not the key of that name`))
    rmSync(stored.key_file)
    refused('there is no key file')
    expect(() => checkBackup({ ...stored, file })).toThrow('there is no key file')
  })

  test.each([
    ['cut short', (bytes: Buffer) => bytes.subarray(0, bytes.length - 8192)],
    ['damaged', (bytes: Buffer) => Buffer.from(bytes).fill(0xff, 4096 * 3, 4096 * 8)],
    ['a text', () => Buffer.from('x'.repeat(10_000))],
    ['empty', () => Buffer.alloc(0)],
  ])('when the backup is %s', (_, spoil) => {
    writeFileSync(file, spoil(readFileSync(file)))
    refused('is no whole database of relyd')
  })

  test.each([
    ['another program’s', 'PRAGMA application_id = 5', 'is a database of another program'],
    ['of a newer schema', 'INSERT INTO migrations VALUES (99)', 'has schema version 99'],
    [
      'one without a table',
      'DROP TABLE earlier_tokens',
      `it lacks tables of schema version ${SCHEMA_VERSION}`,
    ],
    ['one without a trigger', 'DROP TRIGGER sites_deleted', 'it lacks tables'],
  ])('when the backup is %s', (_, sql, why) => {
    stored.execute(sql, file)
    refused(why)
  })

  test('when it is the database itself, or not there', () => {
    expect(() => restore({ ...stored, file: stored.database, now })).toThrow('the database itself')
    rmSync(file)
    refused('There is no file')
  })
})

test('a key that was retired since is asked for, one that no row of the backup needs is not', async () => {
  const first = readFileSync(stored.key_file, 'utf8').match(/^\w{8}(?= )/m)?.[0] as string
  await stored.with(async (store) => {
    addKey(stored)
    store.keys.look()
    await store.resealer.run(() => false)
    await putSession(store, 'later')
  })
  const moved = join(stored.folder, 'backups', 'moved.db')
  expect(makeBackup({ ...stored, file: moved, force: false }).key_ids).toHaveLength(2)
  const keys = readFileSync(stored.key_file, 'utf8')
  writeFileSync(stored.key_file, keys.replace(new RegExp(`^${first} .*\n`, 'm'), ''))
  expect(checkBackup({ ...stored, file: moved }).rows).toEqual({ sites: 2, logins: 0, sessions: 1 })
  expect(() => checkBackup({ ...stored, file })).toThrow(`is encrypted with ${first}, and`)
})

describe('a daemon that starts while a database is being replaced', () => {
  test('is told so, and makes no database meanwhile', async () => {
    const leave = occupyAlone(stored.database, 1)
    rmSync(stored.database)
    await expect(openStore({ ...stored, busy_timeout_ms: 1 })).rejects.toMatchObject({
      code: 'in_use',
      message: expect.stringContaining('is being replaced by `relyd restore`'),
    })
    expect(existsSync(stored.database)).toBe(false)
    leave()
  })

  test('finds the place free when the other was killed', async () => {
    const program = `
      import { occupyAlone } from ${JSON.stringify(new URL('../../dist/store/occupancy.js', import.meta.url).href)}
      occupyAlone(${JSON.stringify(stored.database)}, 1)
      console.log('alone')
      setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(child.stdout, 'data')
    const opened = openStore({ ...stored, busy_timeout_ms: 1 })
    await expect(opened).rejects.toMatchObject({ code: 'in_use' })
    const exit = once(child, 'exit')
    child.kill('SIGKILL')
    await exit
    await stored.with((store) => putSite(store, 'free'))
  })
})
