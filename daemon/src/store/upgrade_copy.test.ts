/** A database of an earlier relyd is copied before its schema is changed, and all of that is done or none. */
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Stored } from '../../../test/support/stored.js'
import { freeBytes } from './copy.js'
import { openDatabase } from './database.js'
import { migrate, SCHEMA_VERSION } from './migrations/migrate.js'
import { openStore } from './open.js'
import { checkBackup, restore } from './restore.js'

// Real, but for one test that has no disk to fill.
vi.mock('./copy.js', { spy: true })

let stored: Stored

beforeEach(() => {
  stored = new Stored()
})
afterEach(() => stored[Symbol.dispose]())

const copyOf = (version: number) => `${stored.database}.schema-${version}`
// A test that only reads leaves the log.
const names = () =>
  readdirSync(dirname(stored.database))
    .filter((name) => !/-(wal|shm)$/.test(name))
    .sort()

test.each(Array.from({ length: SCHEMA_VERSION - 1 }, (_, n) => n + 1))(
  'of schema %i: whole, private, named, and with what an upgrade of it brings',
  async (version) => {
    stored.makeAtSchema(version, 'shop')
    const { store, schema } = await openStore(stored)
    expect(schema).toEqual({ found: version, version: SCHEMA_VERSION, copy: copyOf(version) })
    expect((await store.getSite('shop', 'default'))?.secrets.client_secret).toBe('of before')
    await store.close()
    expect(names()).toEqual(['relyd.db', 'relyd.db-lock', `relyd.db.schema-${version}`])
    expect(statSync(copyOf(version)).mode & 0o777).toBe(0o600)
    expect(checkBackup({ ...stored, file: copyOf(version) })).toMatchObject({
      schema: version,
      rows: { sites: 1 },
    })
    // The way back, and forth again.
    restore({ ...stored, file: copyOf(version), now: new Date() })
    expect(stored.read('SELECT max(version) FROM migrations')).toEqual([[version]])
    await stored.with((again) => again.getSite('shop', 'default'))
    expect(stored.read('SELECT max(version) FROM migrations')).toEqual([[SCHEMA_VERSION]])
  },
)

test('a new database, and one that is up to date, get no copy', async () => {
  expect(await openAndClose()).toEqual({ found: 0, version: SCHEMA_VERSION })
  expect(await openAndClose()).toEqual({ found: SCHEMA_VERSION, version: SCHEMA_VERSION })
  expect(names()).toEqual(['relyd.db', 'relyd.db-lock'])
})

test('the copy of an earlier upgrade goes once this one is done, and other files stay', async () => {
  stored.makeAtSchema(3, 'shop')
  const others = [`${copyOf(2)}.mine`, `${stored.database}.schema-x`]
  for (const path of [copyOf(1), copyOf(2), `${copyOf(3)}-draft-killed`, ...others]) {
    writeFileSync(path, '')
  }
  await openAndClose()
  expect([copyOf(1), copyOf(2), `${copyOf(3)}-draft-killed`].filter(existsSync)).toEqual([])
  expect([copyOf(3), ...others].filter(existsSync)).toHaveLength(3)
})

test('an upgrade that fails changes nothing, and leaves the copies', async () => {
  stored.makeAtSchema(3, 'shop')
  writeFileSync(copyOf(2), '')
  stored.execute('CREATE TABLE earlier_tokens (in_the_way)')
  await expect(openStore(stored)).rejects.toMatchObject({
    code: 'database',
    message: expect.stringContaining('earlier_tokens already exists'),
  })
  expect(stored.read('SELECT max(version) FROM migrations')).toEqual([[3]])
  expect(stored.read("SELECT count(*) FROM pragma_table_info('sessions')")).toEqual([[11]])
  expect([copyOf(2), copyOf(3)].filter(existsSync)).toHaveLength(2)
  stored.execute('DROP TABLE earlier_tokens')
  await openAndClose()
})

test('nothing is written between the copy and the upgrade', async () => {
  stored.makeAtSchema(3, 'shop')
  const { db } = openDatabase(stored.database, 1)
  const other = openDatabase(stored.database, 1)
  const real = vi.mocked(freeBytes).getMockImplementation()
  vi.mocked(freeBytes).mockImplementationOnce((folder) => {
    expect(() => other.db.exec("INSERT INTO realm_usage (realm) VALUES ('late')")).toThrow('locked')
    return real?.(folder) ?? Number.MAX_SAFE_INTEGER
  })
  migrate(db)
  expect(vi.mocked(freeBytes)).toHaveBeenCalled()
  db.close()
  other.db.close()
})

test('without room on the disk it is not begun, and the cure is told', async () => {
  stored.makeAtSchema(3, 'shop')
  vi.mocked(freeBytes).mockReturnValueOnce(1000)
  await expect(openStore(stored)).rejects.toMatchObject({
    code: 'no_space',
    message: expect.stringMatching(/needs 1 MB .* make room, then start relyd again; nothing was/),
  })
  expect(stored.read('SELECT max(version) FROM migrations')).toEqual([[3]])
  expect(names()).toEqual(['relyd.db', 'relyd.db-lock'])
})

test('an earlier relyd names the copy that it can work with', async () => {
  await openAndClose()
  stored.execute(`INSERT INTO migrations VALUES (${SCHEMA_VERSION + 1})`)
  await expect(openStore(stored)).rejects.toThrow('or restore an older backup')
  for (const version of [SCHEMA_VERSION - 1, SCHEMA_VERSION, SCHEMA_VERSION + 1]) {
    writeFileSync(copyOf(version), '')
  }
  await expect(openStore(stored)).rejects.toMatchObject({
    code: 'newer_schema',
    message: expect.stringContaining(
      `go back to the copy from before the upgrade: relyd restore ${copyOf(SCHEMA_VERSION)}`,
    ),
  })
})

async function openAndClose() {
  const { store, schema } = await openStore(stored)
  await store.close()
  return schema
}
