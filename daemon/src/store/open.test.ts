/** The daemon starts only with the keys, the schema and the durability that the database needs. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { ample } from '../../../test/support/quotas.js'
import { makeDurable, openDatabase } from './database.js'
import { makeExpiringId } from './expiring_id.js'
import { openKept } from './kept_database.js'
import { readKeyFile } from './key_file.js'
import { migrate, SCHEMA_VERSION } from './migrations/migrate.js'
import { type OpenedStore, openStore, type StoreOptions } from './open.js'
import type { Session, Site } from './store.js'

// Real, but for one test that makes a race of it.
vi.mock('./key_file.js', { spy: true })

const NOW = 1_800_000_000
let folder: string
let options: StoreOptions
let opened: OpenedStore[]

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'relyd-open-'))
  options = { database: join(folder, 'data', 'relyd.db'), key_file: join(folder, 'keys', 'key') }
  opened = []
})
afterEach(async () => {
  await Promise.all(opened.map(({ store }) => store.close()))
  rmSync(folder, { recursive: true })
})

async function open(): Promise<OpenedStore> {
  const result = await openStore(options)
  opened.push(result)
  return result
}

async function addSite(oxd_id: string): Promise<void> {
  const { store } = await open()
  const idempotency_hash = Buffer.from(oxd_id)
  const intent = { realm: 'default', idempotency_hash, params_hash: Buffer.alloc(1), oxd_id }
  await store.beginRegistration({ ...intent, lease_until: NOW }, NOW, ample)
  const site: Site = {
    oxd_id,
    realm: 'default',
    op_host: 'https://op.example',
    issuer: 'https://op.example',
    redirect_uri: 'https://site.example/callback',
    registered_by: 'relyd',
    client: { client_id: 'client' },
    settings: { scope: ['openid'], login_binding: 'required', tokens: 'site' },
    created_at: NOW,
    secrets: { client_secret: `secret of ${oxd_id}` },
  }
  await store.finishRegistration(site, idempotency_hash)
  await store.close()
}

async function addSession(): Promise<void> {
  const { store } = await open()
  const session: Session = {
    session_id: makeExpiringId(NOW + 60),
    oxd_id: 'site',
    issuer: 'https://op.example',
    sub: 'sub',
    sid: null,
    acr: null,
    amr: null,
    auth_time: null,
    created_at: NOW,
    access_token_hash: Buffer.alloc(32),
    secrets: { access_token: 'at', id_token: 'it', id_token_claims: {} },
  }
  await store.putSession(session)
  await store.close()
}

function keyLines(): string[] {
  return readFileSync(options.key_file, 'utf8').trim().split('\n').slice(-1)
}

/** Puts keys into the key file, the first of which encrypts. */
function writeKeys(...lines: string[]): void {
  mkdirSync(dirname(options.key_file), { recursive: true })
  writeFileSync(options.key_file, lines.join('\n'), { mode: 0o600 })
}

function newKey(id: string): string {
  return `${id} ${Buffer.alloc(32, id).toString('base64url')}`
}

async function secretOf(oxd_id: string): Promise<string | undefined> {
  const { store } = await open()
  const site = await store.getSite(oxd_id, 'default')
  await store.close()
  return site?.secrets.client_secret
}

/** A start that has the time to re-encrypt everything. */
async function startAndReseal(): Promise<void> {
  const { store } = await open()
  await store.resealer.run(() => false)
  await store.close()
}

function modeOf(path: string): number {
  return statSync(path).mode & 0o777
}

describe('a new database', () => {
  test('gets a key, private files and folders, and says what it found', async () => {
    const { durability, schema, encryption } = await open()
    expect(durability).toEqual({ journal_mode: 'wal', synchronous: 2 })
    expect(schema).toEqual({ found: 0, version: SCHEMA_VERSION })
    expect(encryption).toEqual({ key_id: keyLines()[0]?.split(' ')[0], made: true })
    const { database, key_file } = options
    expect([database, `${database}-wal`, `${database}-shm`, key_file].map(modeOf)).toEqual(
      Array(4).fill(0o600),
    )
    expect([dirname(database), dirname(key_file)].map(modeOf)).toEqual([0o700, 0o700])
    const files = new Set(readdirSync(dirname(database)))
    expect(files).toEqual(new Set(['relyd.db', 'relyd.db-lock', 'relyd.db-shm', 'relyd.db-wal']))
  })

  test('takes the key that is there', async () => {
    writeKeys(newKey('mine'))
    expect((await open()).encryption).toEqual({ key_id: 'mine', made: false })
    expect(keyLines()).toEqual([newKey('mine')])
  })

  test('serves two daemons that start together with one key', async () => {
    const both = await Promise.all([open(), open()])
    expect(both[0].encryption.key_id).toBe(both[1].encryption.key_id)
  })

  test('serves also the daemon that looked for the key before the other made it', async () => {
    const first = await open()
    vi.mocked(readKeyFile).mockReturnValueOnce(undefined)
    expect((await open()).encryption.key_id).toBe(first.encryption.key_id)
  })

  test('gets its key also if the first start died before making it', async () => {
    const { db } = openDatabase(options.database, 1)
    migrate(db)
    db.close()
    expect((await open()).encryption.made).toBe(true)
  })

  test.each([
    ['beside it', 'data/key'],
    ['beneath it', 'data/keys/key'],
    ['through a link', 'link/key'],
  ])('refuses a key file %s, naming the option, and makes nothing', async (_, key_file) => {
    symlinkSync(join(folder, 'data'), join(folder, 'link'))
    if (key_file.startsWith('link')) mkdirSync(join(folder, 'data'))
    options = { ...options, key_file: join(folder, key_file) }
    const refused = expect(open()).rejects
    await refused.toMatchObject({
      code: 'key_file',
      message: expect.stringContaining('"key_file"'),
    })
    expect(existsSync(options.database)).toBe(false)
    expect(existsSync(options.key_file)).toBe(false)
  })

  test('is not made when the key file is refused', async () => {
    writeKeys('no key at all')
    await expect(open()).rejects.toMatchObject({ code: 'key_file' })
    expect(existsSync(options.database)).toBe(false)
  })
})

describe('an encrypted database', () => {
  beforeEach(() => addSite('site'))

  test('opens again with its key', async () => {
    const { encryption, schema } = await open()
    expect(encryption.made).toBe(false)
    expect(schema.found).toBe(SCHEMA_VERSION)
    expect(await secretOf('site')).toBe('secret of site')
  })

  test('is refused without its key, which is named, and no other is made', async () => {
    const key_id = keyLines()[0]?.split(' ')[0]
    rmSync(options.key_file)
    const error = await open().catch((error: unknown) => error)
    expect(error).toMatchObject({ name: 'StoreError', code: 'key_missing' })
    expect(String(error)).toContain(key_id)
    expect(String(error)).toContain(options.key_file)
    expect(readdirSync(dirname(options.key_file))).toEqual([])
  })

  test('is refused with a key of another id, and left as it was', async () => {
    const [line = ''] = keyLines()
    writeKeys(newKey('other'))
    const error = await open().catch((error: unknown) => error)
    expect(error).toMatchObject({ code: 'key_missing' })
    expect(String(error)).toContain(line.split(' ')[0])
    expect(String(error)).toContain(options.key_file)
    writeKeys(line)
    expect(await secretOf('site')).toBe('secret of site')
  })

  test('is refused with another key of the same id', async () => {
    const key_id = keyLines()[0]?.split(' ')[0] as string
    writeKeys(newKey(key_id))
    const error = await open().catch((error: unknown) => error)
    expect(error).toMatchObject({ code: 'wrong_key' })
    expect(String(error)).toContain(key_id)
    expect(String(error)).toContain(options.key_file)
  })

  test('is refused with another key even if it holds nothing yet but the canary', async () => {
    await (await open()).store.removeSite('site')
    await opened.at(-1)?.store.close()
    writeKeys(newKey('other'))
    await expect(open()).rejects.toMatchObject({ code: 'key_missing' })
  })
})

describe('a change of keys', () => {
  beforeEach(async () => {
    writeKeys(newKey('old'))
    await addSite('site')
  })

  test('moves the sites, after which the old key can go', async () => {
    writeKeys(newKey('new'), newKey('old'))
    expect(await secretOf('site')).toBe('secret of site')
    await startAndReseal()
    writeKeys(newKey('new'))
    expect(await secretOf('site')).toBe('secret of site')
    writeKeys(newKey('old'))
    await expect(open()).rejects.toMatchObject({ code: 'key_missing' })
  })

  test('can be taken back', async () => {
    for (const ids of [['new', 'old'], ['old', 'new'], ['old']]) {
      writeKeys(...ids.map(newKey))
      await startAndReseal()
      expect(await secretOf('site')).toBe('secret of site')
    }
  })

  test('frees the old name, once nothing needs that key', async () => {
    for (const keys of [[newKey('new'), newKey('old')], [newKey('new')]]) {
      writeKeys(...keys)
      await startAndReseal()
    }
    writeKeys(newKey('new'), newKey('x').replace('x ', 'old '))
    expect(await secretOf('site')).toBe('secret of site')
  })

  test('keeps asking for the old key while a row needs it', async () => {
    await addSession()
    writeKeys(newKey('new'), newKey('old'))
    await (await open()).store.close()
    writeKeys(newKey('new'))
    await expect(open()).rejects.toThrow(/encrypted with old,/)
    writeKeys(newKey('new'), newKey('old'))
    await startAndReseal()
    writeKeys(newKey('new'))
    expect(await secretOf('site')).toBe('secret of site')
  })
})

describe('the file', () => {
  test('of an existing database becomes private', async () => {
    await addSite('site')
    chmodSync(options.database, 0o644)
    await open()
    const { database } = options
    expect([database, `${database}-wal`, `${database}-shm`].map(modeOf)).toEqual(
      Array(3).fill(0o600),
    )
  })

  test('of a newer relyd is refused in words and left alone', async () => {
    await addSite('site')
    const db = openKept(options.database)
    db.exec('INSERT INTO migrations (version) VALUES (99)')
    const error = await open().catch((error: unknown) => error)
    expect(error).toMatchObject({ code: 'newer_schema' })
    expect(String(error)).toContain(`${options.database} has schema version 99`)
    db.exec('DELETE FROM migrations WHERE version = 99')
    db.close()
    expect(await secretOf('site')).toBe('secret of site')
  })

  test('of another program is refused and not touched', async () => {
    mkdirSync(dirname(options.database))
    const db = openKept(options.database)
    db.exec('CREATE TABLE theirs (id)')
    chmodSync(options.database, 0o644)
    const error = await open().catch((error: unknown) => error)
    expect(error).toMatchObject({ code: 'database' })
    expect(String(error)).toContain('"database"')
    expect(modeOf(options.database)).toBe(0o644)
    expect(db.prepare('SELECT name FROM sqlite_master').pluck().all()).toEqual(['theirs'])
    expect(db.pragma('journal_mode', { simple: true })).toBe('delete')
    db.close()
  })

  test('that is no database, or cannot be made, is refused with its path', async () => {
    mkdirSync(dirname(options.database))
    writeFileSync(
      options.database,
      'not a database, but long enough to be read as one\n'.repeat(99),
    )
    await expect(open()).rejects.toMatchObject({
      code: 'database',
      message: expect.stringMatching(`${options.database}.*damaged.*doctor.*relyd restore FILE`),
    })
    options = { ...options, database: join(options.database, 'relyd.db') }
    await expect(open()).rejects.toMatchObject({ code: 'database' })
  })

  test.each([
    ['delete', 2],
    ['wal', 1],
  ])('is refused if SQLite stays with journal_mode %s and synchronous %d', (mode, synchronous) => {
    const pragma = (source: string) => (source.startsWith('journal_mode') ? mode : synchronous)
    expect(() => makeDurable({ name: 'relyd.db', pragma })).toThrow(/cannot commit durably/)
  })
})
