/** Logins that are bound to no browser, found by their site alone, on real SQLite files. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ample } from '../../../test/support/quotas.js'
import { makeExpiringId } from './expiring_id.js'
import { openKept } from './kept_database.js'
import { openStore } from './open.js'
import type { SqliteStore } from './sqlite.js'
import type { Login } from './store.js'

const NOW = 1_800_000_000
const BINDING = Buffer.alloc(32, 'binding')
let folder: string
let store: SqliteStore
let second: SqliteStore

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'relyd-store-'))
  const options = { database: join(folder, 'data/relyd.db'), key_file: join(folder, 'key') }
  store = (await openStore(options)).store
  second = (await openStore(options)).store
  for (const oxd_id of ['site', 'other']) await addSite(oxd_id)
})
afterEach(async () => {
  await store.close()
  await second.close()
  rmSync(folder, { recursive: true })
})

async function addSite(oxd_id: string): Promise<void> {
  const idempotency_hash = Buffer.from(oxd_id)
  const params_hash = Buffer.alloc(32, 'params')
  const intent = { realm: 'shop', oxd_id, idempotency_hash, params_hash, lease_until: NOW + 60 }
  await store.beginRegistration(intent, NOW, ample)
  const site = {
    oxd_id,
    realm: 'shop',
    op_host: 'https://op.example',
    issuer: 'https://op.example',
    redirect_uri: 'https://site.example/callback',
    registered_by: 'relyd' as const,
    client: { client_id: 'client' },
    settings: { scope: ['openid'], login_binding: 'none' as const, tokens: 'site' as const },
    created_at: NOW,
    secrets: {},
  }
  await store.finishRegistration(site, idempotency_hash)
}

async function put(changes: Partial<Login> = {}): Promise<Login> {
  const login = {
    state: makeExpiringId(NOW + 600),
    oxd_id: 'site',
    issuer: 'https://op.example',
    redirect_uri: 'https://site.example/callback',
    binding_hash: null,
    max_age: null,
    secrets: { nonce: 'marker-nonce', code_verifier: 'marker-verifier' },
    ...changes,
  }
  expect(await store.putLogin(login, ample)).toBe('stored')
  return login
}

test('the only one is taken, as it was put, by one of fifty callers of two stores', async () => {
  const login = await put()
  const taken = await Promise.all(
    Array.from({ length: 50 }, (_, index) =>
      (index % 2 ? store : second).takeOnlyLogin('site', NOW),
    ),
  )
  expect(taken.filter((one) => one === 'unknown')).toHaveLength(49)
  expect(taken).toContainEqual(login)
})

test('of several none is taken, and each is still there by its state', async () => {
  const logins = [await put(), await put()]
  expect(await store.takeOnlyLogin('site', NOW)).toBe('several')
  for (const login of logins) {
    expect(await second.takeLogin(login.state, 'site', null, NOW)).toEqual(login)
  }
})

test('one that is bound, has expired or is of another site is neither taken nor counted', async () => {
  const bound = await put({ binding_hash: BINDING })
  await put({ state: makeExpiringId(NOW - 1) })
  await put({ oxd_id: 'other' })
  expect(await store.takeOnlyLogin('site', NOW)).toBe('unknown')
  const login = await put({ state: makeExpiringId(NOW) })
  expect(await store.takeOnlyLogin('site', NOW)).toEqual(login)
  expect(await store.takeLogin(bound.state, 'site', BINDING, NOW)).toEqual(bound)
})

test('one is looked at by its state and stays; a bound one, or that of another site, is not', async () => {
  const login = await put()
  const bound = await put({ binding_hash: BINDING })
  expect(await store.getUnboundLogin(login.state, 'site', NOW)).toEqual(login)
  expect(await store.getUnboundLogin(login.state, 'other', NOW)).toBeUndefined()
  expect(await store.getUnboundLogin(login.state, 'site', NOW + 601)).toBeUndefined()
  expect(await store.getUnboundLogin(bound.state, 'site', NOW)).toBeUndefined()
  expect(await store.getUnboundLogin('no state', 'site', NOW)).toBeUndefined()
  expect(await store.takeLogin(login.state, 'site', null, NOW)).toEqual(login)
})

test('they are found by an index of their own, which has no bound ones', () => {
  const db = openKept(join(folder, 'data/relyd.db'))
  try {
    const plan = db.prepare(
      "EXPLAIN QUERY PLAN SELECT 1 FROM logins WHERE oxd_id = 'site' AND binding_hash IS NULL AND state >= x'00'",
    )
    expect(JSON.stringify(plan.all())).toContain('logins_unbound')
  } finally {
    db.close()
  }
})
