/** Named sites and the operator's lists, on real SQLite files. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ample } from '../../../test/support/quotas.js'
import { makeExpiringId } from './expiring_id.js'
import { openKept } from './kept_database.js'
import { openStore } from './open.js'
import type { SqliteStore } from './sqlite.js'
import type { Site } from './store.js'

const NOW = 1_800_000_000
const quotas = () => ample
const limits = (rows: number, bytes = 1_000_000) => ({ rows, bytes })
let folder: string
let store: SqliteStore
/** As of another daemon. */
let second: SqliteStore

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'relyd-store-'))
  const options = { database: join(folder, 'data', 'relyd.db'), key_file: join(folder, 'key') }
  store = (await openStore(options)).store
  second = (await openStore(options)).store
})
afterEach(async () => {
  await store.close()
  await second.close()
  rmSync(folder, { recursive: true })
})

function site(oxd_id: string, changes: Partial<Site> = {}): Site {
  return {
    oxd_id,
    realm: 'shop',
    op_host: 'https://op.example',
    issuer: 'https://op.example',
    redirect_uri: 'https://site.example/callback',
    registered_by: 'operator',
    client: { client_id: 'client' },
    settings: { scope: ['openid'], login_binding: 'required', tokens: 'site' },
    created_at: NOW,
    secrets: { client_secret: `marker of ${oxd_id}` },
    name: oxd_id,
    version: 1,
    updated_at: null,
    renew_at: null,
    ...changes,
  }
}

async function idsThere(): Promise<string[]> {
  return (await second.listSites('', limits(100))).rows.map(({ oxd_id }) => oxd_id)
}

async function usedBytes(): Promise<number> {
  return (await second.usageOfRealms()).reduce((sum, { bytes }) => sum + bytes, 0)
}

test('setup clients are found by realm, issuer and client_id, and by an index', async () => {
  const self = { ...site('x').settings, setup_client: 'self' }
  const one = (oxd_id: string, changes: Partial<Site> = {}) =>
    site(oxd_id, { settings: self, ...changes })
  const others: Site[] = [
    site('plain'),
    site('bound', { settings: { ...self, setup_client: 'made' } }),
    one('another', { client: { client_id: 'another' } }),
    one('elsewhere', { issuer: 'https://other.example' }),
    one('foreign', { realm: 'other' }),
    one('expired', { client: { client_id: 'expired', client_secret_expires_at: NOW } }),
  ]
  const made = [
    one('early', { created_at: NOW - 1 }),
    one('made', { registered_by: 'relyd' }),
    one('late'),
    // Registered anew since.
    one('anew', {
      settings: { ...self, told_client_id: 'client' },
      client: { client_id: 'new' },
      created_at: NOW + 1,
    }),
  ]
  await store.addSites([...others, ...made], NOW, quotas)
  const issuer = 'https://op.example'
  const found = await store.setupClientsOf('shop', issuer, 'client')
  // Anybody may say that he was issued a client; one that relyd registered goes before.
  expect(found.map(({ oxd_id }) => oxd_id)).toEqual(['made', 'early', 'late', 'anew'])
  expect(found[0]?.secrets).toEqual({ client_secret: 'marker of made' })
  expect(await store.setupClientsOf('shop', issuer, "client' OR 1")).toEqual([])
  const any = await store.setupClients('shop', issuer, NOW, 6)
  expect(any.map(({ oxd_id }) => oxd_id)).toEqual(['made', 'early', 'another', 'late', 'anew'])
  expect(await store.setupClients('shop', issuer, NOW, 0)).toEqual([])
  // Who asks need not be anybody's site: no request may go through all that there are.
  const db = openKept(join(folder, 'data', 'relyd.db'))
  const where = "realm = '' AND issuer = '' AND settings ->> 'setup_client' = 'self'"
  for (const [rest, index] of [
    ["AND client ->> 'client_id' = ''", 'setup_clients (realm=? AND issuer=? AND <expr>=?)'],
    [
      "AND settings ->> 'told_client_id' = ''",
      'told_setup_clients (realm=? AND issuer=? AND <expr>=?)',
    ],
    [
      'ORDER BY registered_by DESC, created_at, oxd_id',
      'setup_clients_by_age (realm=? AND issuer=?)',
    ],
  ]) {
    const plan = db.prepare(`EXPLAIN QUERY PLAN SELECT * FROM sites WHERE ${where} ${rest}`)
    expect(plan.all()).toMatchObject([{ detail: `SEARCH sites USING INDEX ${index}` }])
  }
  db.close()
})

describe('adding several', () => {
  test('adds all, with their secrets', async () => {
    expect(await store.addSites([site('a'), site('b')], NOW, quotas)).toBe('added')
    expect(await idsThere()).toEqual(['a', 'b'])
    expect(await second.getSite('b', 'shop')).toEqual(site('b'))
  })

  test.each([
    ['a name that is taken', site('c', { name: 'old' }), 'old'],
    ['an oxd_id that is taken', site('old', { name: 'c' }), 'old'],
    ['an oxd_id of another realm', site('old', { name: 'c', realm: 'other' }), 'old'],
    ['a name twice', site('c', { name: 'a' }), 'a'],
  ])('adds none where one has %s', async (_, last, oxd_id) => {
    await store.addSites([site('old')], NOW, quotas)
    const bytes = await usedBytes()
    expect(await store.addSites([site('a'), site('b'), last], NOW, quotas)).toEqual({
      outcome: 'exists',
      oxd_id,
    })
    expect(await idsThere()).toEqual(['old'])
    expect(await usedBytes()).toBe(bytes)
  })

  test('adds none where they are too many for a realm', async () => {
    const two = () => ({ ...ample, sites: 2 })
    expect(
      await store.addSites(
        ['a', 'b', 'c'].map((id) => site(id)),
        NOW,
        two,
      ),
    ).toEqual({
      outcome: 'exceeded',
      realm: 'shop',
      quota: 'sites',
      level: 'realm',
    })
    expect(await idsThere()).toEqual([])
  })

  test('has the same name in another realm', async () => {
    const twins = [site('a', { name: 'twin' }), site('b', { name: 'twin', realm: 'other' })]
    expect(await store.addSites(twins, NOW, quotas)).toBe('added')
    expect((await store.findSites('twin', 9)).map(({ realm }) => realm)).toEqual(['other', 'shop'])
  })

  test('waits until what a removed site left is swept', async () => {
    await store.addSites([site('a')], NOW, quotas)
    await putSession('a', NOW + 600)
    await store.removeSite('a')
    // Its sessions would be the new one's.
    expect(await store.addSites([site('a')], NOW, quotas)).toMatchObject({ outcome: 'exists' })
    await store.sweep(NOW, 100)
    expect(await store.addSites([site('a')], NOW, quotas)).toBe('added')
  })
})

describe('changing one', () => {
  beforeEach(async () => {
    await store.addSites([site('a'), site('b')], NOW, quotas)
  })

  test('seals its secrets anew, and counts', async () => {
    const changed = site('a', {
      secrets: { client_secret: 'marker, much longer than the other' },
      settings: { scope: ['openid', 'email'], login_binding: 'none', tokens: 'daemon' },
      client: { client_id: 'other' },
      redirect_uri: 'https://other.example/callback',
      name: 'renamed',
      updated_at: NOW + 1,
    })
    const before = await usedBytes()
    expect(await store.updateSite(changed)).toBe('updated')
    expect(await second.getSite('a', 'shop')).toEqual({ ...changed, version: 2 })
    expect(await usedBytes()).toBeGreaterThan(before)
    expect(await second.getSite('b', 'shop')).toEqual(site('b'))
  })

  test('of two who read the same, one is refused', async () => {
    const replies = [store, second].map((one, index) =>
      one.updateSite(site('a', { updated_at: NOW + index })),
    )
    expect((await Promise.all(replies)).sort()).toEqual(['changed', 'updated'])
  })

  test('is refused when it was removed, and when its name is taken', async () => {
    expect(await store.updateSite(site('a', { name: 'b' }))).toBe('name_taken')
    await store.removeSite('a')
    expect(await store.updateSite(site('a'))).toBe('changed')
  })

  test('goes with new keys: sealing anew is no change of the site', async () => {
    expect(await store.resealer.run(() => false)).toBeDefined()
    expect(await store.updateSite(site('a'))).toBe('updated')
  })
})

test('sites are found by name before anything else, and by the beginning of their ids', async () => {
  const sites = [
    site('abcd-1', { name: 'one' }),
    site('abcd-2', { name: 'two' }),
    site('x', { name: 'abcd' }),
  ]
  await store.addSites(sites, NOW, quotas)
  const find = async (text: string) => (await store.findSites(text, 9)).map(({ oxd_id }) => oxd_id)
  expect(await find('two')).toEqual(['abcd-2'])
  expect(await find('abcd')).toEqual(['x'])
  expect(await find('abcd-')).toEqual(['abcd-1', 'abcd-2'])
  expect(await find('abcd-2')).toEqual(['abcd-2'])
  expect(await find('%')).toEqual([])
})

async function putSession(oxd_id: string, expires_at: number): Promise<void> {
  await store.putSession({
    session_id: makeExpiringId(expires_at),
    oxd_id,
    issuer: 'https://op.example',
    sub: 'alice',
    sid: null,
    acr: null,
    amr: ['pwd'],
    auth_time: null,
    created_at: NOW,
    access_token_hash: Buffer.alloc(32, 'token'),
    secrets: { access_token: 'marker', id_token: 'id', id_token_claims: {} },
  })
}

test('a slice of sites ends with the row that makes it long enough, and goes on behind it', async () => {
  const long = { scope: ['x'.repeat(1000)], login_binding: 'required', tokens: 'site' } as const
  const settings = { ...long, scope: [...long.scope] }
  await store.addSites(
    ['a', 'b', 'c'].map((id) => site(id, { settings })),
    NOW,
    quotas,
  )
  const { rows, more } = await second.listSites('', limits(9, 2000))
  expect([rows.map(({ oxd_id }) => oxd_id), more]).toEqual([['a', 'b'], true])
  expect((await second.listSites('b', limits(9, 1))).rows).toMatchObject([{ oxd_id: 'c' }])
  expect(await second.listSites('c', limits(9, 1))).toEqual({ rows: [], more: false })
})

describe('sessions', () => {
  beforeEach(async () => {
    await store.addSites([site('a'), site('b')], NOW, quotas)
    for (const [index, oxd_id] of ['a', 'b', 'gone', 'a'].entries()) {
      await putSession(oxd_id, NOW + index)
    }
  })

  test('are listed by slices, the last to expire first, with what their sites are called', async () => {
    const { rows: first, more } = await second.listSessions(undefined, NOW, limits(3))
    expect(more).toBe(true)
    expect(first.map(({ oxd_id, name, realm }) => [oxd_id, name, realm])).toEqual([
      ['a', 'a', 'shop'],
      ['gone', null, null],
      ['b', 'b', 'shop'],
    ])
    expect(first[0]).toMatchObject({ amr: ['pwd'], sub: 'alice' })
    expect(first[0]).not.toHaveProperty('secrets')
    const rest = await second.listSessions(first.at(-1)?.session_key, NOW, limits(3))
    expect(rest.more).toBe(false)
    expect(rest.rows.map(({ oxd_id }) => oxd_id)).toEqual(['a'])
    // What has expired is nobody's any more.
    expect((await second.listSessions(undefined, NOW + 2, limits(9))).rows).toHaveLength(2)
  })

  test('are removed once, whoever removes them, and also if nothing opens them', async () => {
    const keys = (await store.listSessions(undefined, NOW, limits(9))).rows.map(
      ({ session_key }) => session_key,
    )
    const db = openKept(join(folder, 'data', 'relyd.db'))
    db.exec("UPDATE sessions SET secrets = x'00' WHERE oxd_id = 'gone'")
    db.close()
    const both = await Promise.all([store.removeSessions(keys), second.removeSessions(keys)])
    expect(both.flat()).toHaveLength(4)
    const opened = both.flat().map(({ oxd_id, secrets }) => [oxd_id, secrets?.access_token])
    expect(opened).toContainEqual(['gone', undefined])
    expect(opened).toContainEqual(['b', 'marker'])
    expect(await store.listSessions(undefined, NOW, limits(9))).toEqual({ rows: [], more: false })
  })
})
