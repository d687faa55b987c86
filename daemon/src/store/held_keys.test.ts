/** A store at work takes over changed keys, moves its rows to them, and loses nothing by a bad file. */
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ample } from '../../../test/support/quotas.js'
import { makeExpiringId } from './expiring_id.js'
import type { KeyChange } from './held_keys.js'
import { openKept } from './kept_database.js'
import { openStore } from './open.js'
import { rowsByKey } from './sealed_tables.js'
import type { SqliteStore } from './sqlite.js'
import type { Login, Session, Site } from './store.js'

const NOW = 1_800_000_000
let folder: string
let key_file: string
let now: number
let store: SqliteStore
let second: SqliteStore
let db: Database.Database
let changes: KeyChange[]

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'relyd-held-'))
  key_file = join(folder, 'keys', 'key')
  now = NOW
  mkdirSync(join(folder, 'keys'))
  writeKeys('old')
  const options = { database: join(folder, 'data', 'relyd.db'), key_file, clock: () => now }
  store = (await openStore(options)).store
  second = (await openStore(options)).store
  db = openKept(options.database)
  changes = []
  store.keys.onChange = (change) => changes.push(change)
})
afterEach(async () => {
  await store.close()
  await second.close()
  db.close()
  rmSync(folder, { recursive: true })
})

/** As `relyd key` does: another file in the old one's place. */
function writeFile(text: string, mode = 0o600): void {
  writeFileSync(`${key_file}-draft`, text, { mode })
  renameSync(`${key_file}-draft`, key_file)
}

function writeKeys(...ids: string[]): void {
  writeFile(ids.map((id) => `${id} ${Buffer.alloc(32, id).toString('base64url')}\n`).join(''))
}

async function addSession(to = store): Promise<string> {
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
  await to.putSession(session)
  return session.session_id
}

async function addLogin(): Promise<string> {
  const login: Login = {
    state: makeExpiringId(NOW + 60),
    oxd_id: 'site',
    issuer: 'https://op.example',
    redirect_uri: 'https://site.example/callback',
    binding_hash: null,
    max_age: null,
    secrets: { nonce: 'nonce', code_verifier: 'verifier' },
  }
  await store.putLogin(login, ample)
  return login.state
}

/** @returns what finishes it: a single write, as those of sessions and logins are */
async function beginSite(oxd_id: string): Promise<() => Promise<void>> {
  const idempotency_hash = Buffer.from(oxd_id)
  const params_hash = Buffer.alloc(32)
  const intent = { realm: 'default', idempotency_hash, params_hash, oxd_id, lease_until: NOW }
  await store.beginRegistration(intent, NOW, ample)
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
  return () => store.finishRegistration(site, idempotency_hash)
}

const forever = () => false

describe('a changed key file', () => {
  test('is adopted: what follows is sealed with its first key, and old rows still open', async () => {
    const before = await addSession()
    writeKeys('new', 'old')
    now += 5
    store.keys.look()
    expect(changes).toEqual([{ adopted: ['new', 'old'] }])
    await addSession()
    expect(rowsByKey(db)).toEqual(
      new Map([
        ['old', { sites: 0, logins: 0, sessions: 1 }],
        ['new', { sites: 0, logins: 0, sessions: 1 }],
      ]),
    )
    expect(await store.getSession(before, 'site', NOW)).toMatchObject({ sub: 'sub' })
    const recorded = db.prepare('SELECT key_id, recorded_at FROM encryption_keys ORDER BY 2').all()
    expect(recorded).toEqual([
      { key_id: 'old', recorded_at: NOW },
      { key_id: 'new', recorded_at: NOW + 5 },
    ])
  })

  test('is looked at again only when it changed', () => {
    store.keys.look()
    writeKeys('old')
    store.keys.look()
    expect(changes).toEqual([])
  })

  test('is adopted at once by a daemon that meets a row of a key it does not hold', async () => {
    writeKeys('new', 'old')
    second.keys.look()
    const session_id = await addSession(second)
    expect(store.keys.current_id).toBe('old')
    expect(await store.getSession(session_id, 'site', NOW)).toMatchObject({ sub: 'sub' })
    expect(store.keys.current_id).toBe('new')
  })

  test('that puts an older key first makes that key encrypt from now on', async () => {
    writeKeys('new', 'old')
    store.keys.look()
    now += 100
    writeKeys('old', 'new')
    store.keys.look()
    const since = db.prepare("SELECT recorded_at FROM encryption_keys WHERE key_id = 'old'").pluck()
    expect(since.get()).toBe(NOW + 100)
  })

  test.each<[string, () => void, RegExp]>([
    ['is broken', () => writeFile('new half-a-key\n'), /line 1 must be KEYID BASE64URL/],
    ['is empty', () => writeFile(''), /holds no key; restore it from its backup/],
    ['is gone', () => rmSync(key_file), /no key file .* any more; restore the key file/],
    ['lacks a recorded key', () => writeKeys('new'), /encrypted with old, .* restore the key file/],
    [
      'has another key of a recorded name',
      () => writeFile(`old ${Buffer.alloc(32, 'x').toString('base64url')}\n`),
      /key old in .* is not the key of that name .* restore/,
    ],
    [
      'is open to others',
      () => {
        writeKeys('new', 'old')
        chmodSync(key_file, 0o644)
      },
      /run: chmod 600/,
    ],
  ])('that %s is refused once, in words, until it is mended', async (_, spoil, words) => {
    const session_id = await addSession()
    spoil()
    for (let times = 0; times < 3; times += 1) store.keys.look()
    expect(changes).toEqual([{ refused: expect.stringMatching(words) }])
    expect(await store.getSession(session_id, 'site', NOW)).toMatchObject({ sub: 'sub' })
    await addSession()
    expect([...rowsByKey(db).keys()]).toEqual(['old'])
    writeKeys('newer', 'old')
    store.keys.look()
    expect(changes.at(-1)).toEqual({ adopted: ['newer', 'old'] })
  })

  test('is adopted when only its permissions are mended', () => {
    writeKeys('new', 'old')
    chmodSync(key_file, 0o640)
    store.keys.look()
    chmodSync(key_file, 0o600)
    store.keys.look()
    expect(store.keys.current_id).toBe('new')
  })

  test('is tried again while refused, for what was wrong may lie in the database', () => {
    writeKeys('new', 'old')
    second.keys.look()
    writeKeys('new')
    store.keys.look()
    expect(changes).toHaveLength(1)
    db.exec("DELETE FROM encryption_keys WHERE key_id = 'old'")
    store.keys.look()
    expect(changes.at(-1)).toEqual({ adopted: ['new'] })
  })
})

test('nothing is committed with a key that was retired meanwhile', async () => {
  db.exec("UPDATE encryption_keys SET key_id = 'other'")
  await expect(addSession()).rejects.toThrow(/key old was retired .* restart the daemon/)
  expect(rowsByKey(db)).toEqual(new Map())
  await store.sweep(NOW, 1)
})

describe('re-encryption', () => {
  test('moves the rows of every table, over many slices, and changes nothing else', async () => {
    await (await beginSite('site'))()
    const sessions = await Promise.all(Array.from({ length: 350 }, () => addSession()))
    const states = await Promise.all(Array.from({ length: 120 }, addLogin))
    writeKeys('new', 'old')
    store.keys.look()
    const result = await store.resealer.run(forever)
    expect(result).toEqual({ moved: { sites: 1, logins: 120, sessions: 350 }, failed: 0 })
    expect([...rowsByKey(db).keys()]).toEqual(['new'])
    for (const session_id of sessions) {
      const session = await second.getSession(session_id, 'site', NOW)
      expect(session?.secrets.access_token).toBe('at')
    }
    expect(await second.getSite('site', 'default')).toMatchObject({
      secrets: { client_secret: 'secret of site' },
    })
    const taken = await store.takeLogin(states[0] as string, 'site', null, NOW)
    expect(taken).toMatchObject({ secrets: { nonce: 'nonce' } })
    expect((await store.resealer.run(forever))?.moved).toEqual({ sites: 0, logins: 0, sessions: 0 })
  })

  test('ends between two slices when it is told to, and goes on another time', async () => {
    await Promise.all(Array.from({ length: 350 }, () => addSession()))
    writeKeys('new', 'old')
    store.keys.look()
    let slices = 0
    // Sites and logins are a slice each.
    expect(await store.resealer.run(() => ++slices > 4)).toBeUndefined()
    expect(rowsByKey(db).get('new')?.sessions).toBe(200)
    expect((await store.resealer.run(forever))?.moved.sessions).toBe(150)
  })

  test('reaches what was sealed, and not yet committed, when the key changed', async () => {
    const finish = await beginSite('site')
    const finished = finish()
    writeKeys('new', 'old')
    store.keys.look()
    expect((await store.resealer.run(forever))?.moved.sites).toBe(1)
    await finished
  })

  test('leaves alone what another daemon changes or takes meanwhile', async () => {
    await addSession()
    await addSession()
    writeKeys('new', 'old')
    store.keys.look()
    const update = db.prepare('UPDATE sessions SET secrets = ? WHERE secrets = ?')
    const rows = db.prepare<[], Buffer>('SELECT secrets FROM sessions').pluck().all()
    let slices = 0
    // The third slice reads the sessions; its commit comes at the end of the turn.
    const walk = store.resealer.run(() => {
      slices += 1
      if (slices === 3) {
        queueMicrotask(() => {
          db.prepare('DELETE FROM sessions WHERE secrets = ?').run(rows[0])
          update.run(Buffer.from('theirs'), rows[1])
        })
      }
      return false
    })
    expect((await walk)?.moved.sessions).toBe(0)
    expect(db.prepare('SELECT secrets FROM sessions').pluck().all()).toEqual([
      Buffer.from('theirs'),
    ])
  })

  test('tells of rows that do not open, and moves the others', async () => {
    await addSession()
    await addSession()
    db.prepare('UPDATE sessions SET secrets = zeroblob(80) WHERE session_key = ?').run(
      db.prepare('SELECT max(session_key) FROM sessions').pluck().get(),
    )
    writeKeys('new', 'old')
    store.keys.look()
    expect(await store.resealer.run(forever)).toEqual({
      moved: { sites: 0, logins: 0, sessions: 1 },
      failed: 1,
      first_failure: expect.objectContaining({ code: 'tampered' }),
    })
  })
})
