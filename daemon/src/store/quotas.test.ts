/** What the store counts, and when it takes no more; on real SQLite files. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ample } from '../../../test/support/quotas.js'
import type { Quotas } from '../quota.js'
import { makeExpiringId } from './expiring_id.js'
import { openKept } from './kept_database.js'
import { sql as initial } from './migrations/0001_initial.js'
import { openStore } from './open.js'
import type { SqliteStore } from './sqlite.js'
import type { Login, RegistrationStart, Session } from './store.js'

const NOW = 1_800_000_000
const BINDING = Buffer.alloc(32, 'binding')
const MEGABYTE = 1024 * 1024

let folder: string
let store: SqliteStore
let opened = 0

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'relyd-quotas-'))
  store = await open()
})
afterEach(async () => {
  await store.close()
  rmSync(folder, { recursive: true })
})

async function open(): Promise<SqliteStore> {
  const options = { database: join(folder, 'data/relyd.db'), key_file: join(folder, 'key') }
  return (await openStore(options)).store
}

function begin(realm: string, oxd_id: string, quotas: Quotas = ample): Promise<RegistrationStart> {
  const intent = {
    realm,
    oxd_id,
    idempotency_hash: Buffer.from(oxd_id),
    params_hash: Buffer.alloc(32),
    lease_until: NOW + 60,
  }
  return store.beginRegistration(intent, NOW, quotas)
}

async function addSite(oxd_id: string, realm = 'shop'): Promise<void> {
  await begin(realm, oxd_id)
  await store.finishRegistration(
    {
      oxd_id,
      realm,
      op_host: 'https://op.example',
      issuer: 'https://op.example',
      redirect_uri: 'https://site.example/callback',
      registered_by: 'relyd',
      client: { client_id: 'client' },
      settings: { scope: ['openid'], login_binding: 'required', tokens: 'site' },
      created_at: NOW,
      secrets: {},
    },
    Buffer.from(oxd_id),
  )
}

function login(oxd_id: string): Login {
  opened += 1
  return {
    state: makeExpiringId(NOW + (opened % 2)),
    oxd_id,
    issuer: 'https://op.example',
    redirect_uri: 'https://site.example/callback',
    binding_hash: BINDING,
    max_age: null,
    secrets: { nonce: 'n', code_verifier: 'v' },
  }
}

function session(oxd_id: string, access_token = 'token'): Session {
  return {
    session_id: makeExpiringId(NOW + 60),
    oxd_id,
    issuer: 'https://op.example',
    sub: 'alice',
    sid: null,
    acr: null,
    amr: null,
    auth_time: null,
    created_at: NOW,
    access_token_hash: BINDING,
    secrets: { access_token, id_token: 'id', id_token_claims: {} },
  }
}

describe('pending logins', () => {
  const quotas = { ...ample, pending_logins: { site: 3, realm: 4 } }

  test('of a site are refused beyond its limit, until one is taken or expires', async () => {
    await addSite('a')
    const logins = Array.from({ length: 4 }, () => login('a'))
    const put = await Promise.all(logins.map((one) => store.putLogin(one, quotas)))
    expect(put).toEqual(['stored', 'stored', 'stored', { quota: 'pending_logins', level: 'site' }])
    await store.takeLogin(logins[0]?.state as string, 'a', BINDING, NOW)
    expect(await store.putLogin(login('a'), quotas)).toBe('stored')
    expect(await store.putLogin(login('a'), quotas)).toMatchObject({ level: 'site' })
    await store.sweep(NOW + 2, 10)
    expect(await store.putLogin(login('a'), quotas)).toBe('stored')
  })

  test('of a full realm are refused but for each site’s equal share', async () => {
    await addSite('a')
    await addSite('b')
    for (const _ of [1, 2, 3]) expect(await store.putLogin(login('a'), quotas)).toBe('stored')
    expect(await store.putLogin(login('b'), quotas)).toBe('stored')
    // The realm's four are used; two of four are b's share, and a has more than that.
    expect(await store.putLogin(login('b'), quotas)).toBe('stored')
    expect(await store.putLogin(login('b'), quotas)).toEqual({
      quota: 'pending_logins',
      level: 'realm',
    })
  })

  test('of another realm take nothing from this one', async () => {
    await addSite('a')
    await addSite('foreign', 'other')
    for (const _ of [1, 2, 3]) await store.putLogin(login('foreign'), quotas)
    for (const _ of [1, 2, 3]) expect(await store.putLogin(login('a'), quotas)).toBe('stored')
  })
})

test('a login is refused where its session would find no room, and others are not', async () => {
  const quotas = { ...ample, sessions: { site: 2, realm: 100 } }
  await addSite('a')
  await addSite('b')
  const sessions = [session('a'), session('a')]
  for (const one of sessions) await store.putSession(one)
  expect(await store.putLogin(login('a'), quotas)).toEqual({ quota: 'sessions', level: 'site' })
  expect(await store.putLogin(login('b'), quotas)).toBe('stored')
  await store.takeSession(sessions[0]?.session_id as string, 'a', NOW)
  expect(await store.putLogin(login('a'), quotas)).toBe('stored')
})

test('bytes count, and are free again when what took them is gone', async () => {
  const quotas = { ...ample, store_megabytes: { site: 1, realm: 100 } }
  await addSite('a')
  const large = session('a', 'x'.repeat(MEGABYTE))
  await store.putSession(large)
  expect(await store.putLogin(login('a'), quotas)).toEqual({
    quota: 'store_megabytes',
    level: 'site',
  })
  await store.takeSession(large.session_id, 'a', NOW)
  expect(await store.putLogin(login('a'), quotas)).toBe('stored')
})

describe('sites', () => {
  const quotas = { ...ample, sites: 2 }

  test('of a realm are refused beyond its limit, those being registered included', async () => {
    await addSite('a')
    expect(await begin('shop', 'b', quotas)).toMatchObject({ outcome: 'begun' })
    expect(await begin('shop', 'c', quotas)).toEqual({
      outcome: 'exceeded',
      quota: 'sites',
      level: 'realm',
    })
    expect(await begin('other', 'd', quotas)).toMatchObject({ outcome: 'begun' })
    // Who registered before is answered, full or not.
    expect(await begin('shop', 'a', quotas)).toMatchObject({ outcome: 'registered', oxd_id: 'a' })
    await store.removeSite('a')
    expect(await begin('shop', 'c', quotas)).toMatchObject({ outcome: 'begun' })
  })

  test('are refused where the realm’s documents fill the store', async () => {
    const full = { ...ample, store_megabytes: { site: 1, realm: 1 } }
    await store.putOpDocuments({
      realm: 'shop',
      op_host: 'https://op.example',
      metadata: { of: 'x'.repeat(MEGABYTE) },
      jwks: null,
      fetched_at: NOW,
    })
    expect(await begin('shop', 'a', full)).toMatchObject({ quota: 'store_megabytes' })
    expect(await begin('other', 'b', full)).toMatchObject({ outcome: 'begun' })
    // Nobody registered there: after a while they are swept.
    await store.sweep(NOW + 601, 10)
    expect(await begin('shop', 'a', full)).toMatchObject({ outcome: 'begun' })
  })

  test('that were removed leave no count behind', async () => {
    await addSite('a')
    await store.putLogin(login('a'), ample)
    for (let index = 0; index < 5; index += 1) await store.putSession(session('a'))
    await store.removeSite('a')
    for (let round = 0; round < 4; round += 1) await store.sweep(NOW, 2)
    await store.sweep(NOW + 2, 10)
    await store.sweep(NOW + 2, 10)
    const db = openKept(join(folder, 'data/relyd.db'))
    expect(db.prepare('SELECT count(*) FROM site_usage').pluck().get()).toBe(0)
    expect(db.prepare('SELECT * FROM realm_usage').all()).toEqual([
      { realm: 'shop', sites: 0, logins: 0, sessions: 0, bytes: 0 },
    ])
    db.close()
  })
})

test('a store of the first version is counted when it is opened', async () => {
  await addSite('a')
  await store.putLogin(login('a'), ample)
  await store.putSession(session('a'))
  await store.putOpDocuments({
    realm: 'shop',
    op_host: 'https://op.example',
    metadata: { issuer: 'https://op.example' },
    jwks: null,
    fetched_at: NOW,
  })
  await store.close()
  const path = join(folder, 'data/relyd.db')
  const db = openKept(path)
  const counts = (): unknown => [
    db.prepare('SELECT * FROM site_usage').all(),
    db.prepare('SELECT * FROM realm_usage').all(),
  ]
  const expected = counts()
  const first = openKept(join(folder, 'first.db'))
  first.exec('CREATE TABLE migrations (version INTEGER PRIMARY KEY NOT NULL) STRICT')
  first.exec(initial)
  first.exec(`INSERT INTO migrations VALUES (1); ATTACH '${path}' AS now`)
  for (const table of ['encryption_keys', 'sites', 'registrations', 'logins', 'sessions']) {
    const columns = first.pragma(`main.table_info(${table})`) as { name: string }[]
    const names = columns.map(({ name }) => name).join(', ')
    first.exec(`INSERT INTO main.${table} (${names}) SELECT ${names} FROM now.${table}`)
  }
  first.exec(`INSERT INTO main.op_documents (op_host, metadata, jwks, fetched_at)
    SELECT op_host, metadata, jwks, fetched_at FROM now.op_documents`)
  first.exec('DETACH now')
  const copy = join(folder, 'data/copy.db')
  first.exec(`VACUUM INTO '${copy}'`)
  first.close()
  db.close()
  const upgraded = await openStore({ database: copy, key_file: join(folder, 'key') })
  expect(upgraded.schema.found).toBe(1)
  const look = openKept(copy)
  expect([
    look.prepare('SELECT * FROM site_usage').all(),
    look.prepare('SELECT * FROM realm_usage').all(),
  ]).toEqual(expected)
  look.close()
  expect(await upgraded.store.getOpDocuments('shop', 'https://op.example')).toMatchObject({
    metadata: { issuer: 'https://op.example' },
  })
  await upgraded.store.close()
})
