/** What the store promises to who refreshes a session: one holder of the lease, and nothing half stored. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ample } from '../../../test/support/quotas.js'
import { sha256 } from '../digest.js'
import { makeExpiringId } from './expiring_id.js'
import { openKept } from './kept_database.js'
import { openStore } from './open.js'
import type { SqliteStore } from './sqlite.js'
import type { EarlierToken, Lease, Session, SessionSecrets, StoredSession } from './store.js'

const NOW = 1_800_000_000
let folder: string
let store: SqliteStore
let second: SqliteStore

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'relyd-refresh-'))
  const files = { database: join(folder, 'data', 'relyd.db'), key_file: join(folder, 'key') }
  store = (await openStore(files)).store
  second = (await openStore(files)).store
})

afterEach(async () => {
  await store.close()
  await second.close()
  rmSync(folder, { recursive: true })
})

function session(changes: Partial<Session> = {}): Session {
  return {
    session_id: makeExpiringId(NOW + 600),
    oxd_id: 'site',
    issuer: 'https://op.example',
    sub: 'alice',
    sid: null,
    acr: null,
    amr: null,
    auth_time: null,
    created_at: NOW,
    access_token_hash: sha256('access'),
    secrets: {
      access_token: 'access',
      refresh_token: 'refresh',
      id_token: 'id',
      id_token_claims: {},
    },
    ...changes,
  }
}

async function put(given = session()): Promise<StoredSession> {
  await store.putSession(given)
  return (await store.getSession(given.session_id, given.oxd_id, NOW)) as StoredSession
}

function lease(holder: string, until = NOW + 10): Lease {
  return { token: Buffer.alloc(16, holder), until }
}

const renewed = (secrets: SessionSecrets): SessionSecrets => ({
  ...secrets,
  access_token: 'access 2',
  refresh_token: 'refresh 2',
})

function refreshed(from: StoredSession): StoredSession {
  return {
    ...from,
    access_token_hash: sha256('access 2'),
    refresh_token_hash: sha256('refresh 2'),
    secrets: renewed(from.secrets),
  }
}

const replaced: EarlierToken[] = [
  { kind: 'refresh', token_hash: sha256('refresh'), forget_at: NOW + 60 },
  { kind: 'access', token_hash: sha256('access'), forget_at: NOW + 60 },
]

async function lookUp(key: StoredSession): Promise<StoredSession | undefined> {
  const found = await store.leaseSession(key.session_key, lease('nobody'), NOW)
  return found?.session
}

describe('a lease', () => {
  test('is had by one of many who want it at once, over several stores', async () => {
    const { session_key } = await put()
    const all = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        (n % 2 ? store : second).leaseSession(session_key, lease(`holder ${n}`), NOW),
      ),
    )
    expect(all.filter((one) => one?.leased)).toHaveLength(1)
    expect(all.every((one) => one?.session.secrets.access_token === 'access')).toBe(true)
  })

  test('is its holder’s until it has run out', async () => {
    const { session_key } = await put()
    const had = async (holder: string, now: number) =>
      (await store.leaseSession(session_key, lease(holder, now + 10), now))?.leased
    expect(await had('one', NOW)).toBe(true)
    expect(await had('two', NOW + 10)).toBe(false)
    expect(await had('two', NOW + 11)).toBe(true)
    await store.releaseSession(session_key, lease('one'))
    expect(await had('three', NOW + 12)).toBe(false)
    await store.releaseSession(session_key, lease('two'))
    expect(await had('three', NOW + 12)).toBe(true)
  })

  test('is nobody’s when the clock was set back by more than it could last', async () => {
    const { session_key } = await put()
    await store.leaseSession(session_key, lease('one'), NOW)
    const had = async (now: number) =>
      (await second.leaseSession(session_key, lease('two', now + 10), now))?.leased
    expect(await had(NOW - 10)).toBe(false)
    expect(await had(NOW - 11)).toBe(true)
    await second.releaseSession(session_key, lease('two'))
  })

  test('of a session that expired, was ended or never was, is nobody’s', async () => {
    const given = session()
    const { session_key } = await put(given)
    expect(await store.leaseSession(session_key, lease('one'), NOW + 601)).toBeUndefined()
    await store.takeSession(given.session_id, 'site', NOW)
    expect(await store.leaseSession(session_key, lease('one'), NOW)).toBeUndefined()
    expect(await store.leaseSession(Buffer.alloc(24, 255), lease('one'), NOW)).toBeUndefined()
  })
})

describe('what a refresh brings', () => {
  test('is stored by the holder, who then has the lease no more', async () => {
    const one = await put()
    await store.leaseSession(one.session_key, lease('holder'), NOW)
    const stored = { session: refreshed(one), stored: true }
    expect(await second.finishRefresh(one, lease('holder'), renewed, replaced)).toEqual(stored)
    expect(await store.leaseSession(one.session_key, lease('next'), NOW)).toMatchObject({
      leased: true,
    })
  })

  test('is stored by who lost the lease too, unless somebody else has changed the tokens', async () => {
    const one = await put()
    await store.leaseSession(one.session_key, lease('holder'), NOW)
    const other = (was: SessionSecrets) => ({ ...was, access_token: 'another' })
    const rejected = (was: SessionSecrets) => ({ ...was, refresh_rejected: true as const })
    expect(await second.finishRefresh(one, lease('next'), rejected)).toMatchObject({ stored: true })
    expect(await second.finishRefresh(one, lease('late'), renewed, replaced)).toEqual({
      session: refreshed({ ...one, secrets: { ...one.secrets, refresh_rejected: true } }),
      stored: true,
    })
    for (const holder of ['holder', 'late']) {
      expect(await store.finishRefresh(one, lease(holder), other)).toMatchObject({ stored: false })
    }
    expect((await lookUp(one))?.secrets.access_token).toBe('access 2')
    expect(await store.findSession('site', 'refresh', sha256('refresh'), NOW)).toMatchObject({
      current: false,
    })

    // An OP that goes on with its refresh token.
    const same = await put()
    await store.finishRefresh(same, lease('next'), other)
    expect(await store.finishRefresh(same, lease('late'), renewed)).toMatchObject({ stored: false })
  })

  test('is not stored where the session was ended, or its refresh token taken out', async () => {
    const given = session()
    const ended = await put(given)
    await store.leaseSession(ended.session_key, lease('holder'), NOW)
    await store.takeSession(given.session_id, 'site', NOW)
    expect(await store.finishRefresh(ended, lease('holder'), renewed, replaced)).toBeUndefined()
    expect(await lookUp(ended)).toBeUndefined()
    expect(await store.dropTokens(ended.session_key, ['refresh'])).toBeUndefined()

    const dropped = await put()
    await store.leaseSession(dropped.session_key, lease('holder'), NOW)
    expect(await second.dropTokens(dropped.session_key, ['refresh', 'access'])).toEqual(
      dropped.secrets,
    )
    const late = await store.finishRefresh(dropped, lease('holder'), renewed, replaced)
    expect(late).toMatchObject({ stored: false, session: { refresh_token_hash: null } })
    const left = await lookUp(dropped)
    expect(left?.secrets).toEqual({ id_token: 'id', id_token_claims: {} })
    expect(await store.findSession('site', 'refresh', sha256('refresh'), NOW)).toBeUndefined()
  })

  test('is found by old and new tokens, each of its kind and site, and by the old ones for a while', async () => {
    const one = await put()
    await store.leaseSession(one.session_key, lease('holder'), NOW)
    await store.finishRefresh(one, lease('holder'), renewed, replaced)
    const found = async (kind: 'access' | 'refresh', token: string, now = NOW, oxd_id = 'site') =>
      (await second.findSession(oxd_id, kind, sha256(token), now))?.current
    for (const kind of ['access', 'refresh'] as const) {
      const other = kind === 'access' ? 'refresh' : 'access'
      expect(await found(kind, `${kind} 2`)).toBe(true)
      expect(await found(kind, kind)).toBe(false)
      expect(await found(kind, kind, NOW + 60)).toBe(false)
      expect(await found(kind, kind, NOW + 61)).toBeUndefined()
      // Who has an access token must not get a refresh token for it.
      expect(await found(kind, other)).toBeUndefined()
      expect(await found(kind, `${other} 2`)).toBeUndefined()
      expect(await found(kind, kind, NOW, 'other')).toBeUndefined()
      expect(await found(kind, `${kind} 2`, NOW, 'other')).toBeUndefined()
      expect(await found(kind, `${kind} 2`, NOW + 601)).toBeUndefined()
    }
  })

  test('is swept when it is of no use', async () => {
    const one = await put()
    await store.leaseSession(one.session_key, lease('holder'), NOW)
    await store.finishRefresh(one, lease('holder'), renewed, replaced)
    expect(await store.sweep(NOW + 60, 10)).toBe(0)
    expect(await store.sweep(NOW + 61, 1)).toBe(1)
    expect(await store.sweep(NOW + 61, 10)).toBe(1)
    expect(await store.sweep(NOW + 61, 10)).toBe(0)
  })

  test('counts its bytes, as what is taken out does', async () => {
    const site = { oxd_id: 'site', realm: 'shop', op_host: 'x', issuer: 'x', redirect_uri: 'x' }
    await store.beginRegistration(
      {
        realm: 'shop',
        idempotency_hash: Buffer.from('key'),
        params_hash: Buffer.alloc(1),
        oxd_id: 'site',
        lease_until: NOW,
      },
      NOW,
      ample,
    )
    await store.finishRegistration(
      {
        ...site,
        registered_by: 'operator',
        client: { client_id: 'x' },
        settings: { scope: [], login_binding: 'none', tokens: 'site' },
        created_at: NOW,
        secrets: {},
      },
      Buffer.from('key'),
    )
    const bytes = () => {
      const db = openKept(join(folder, 'data', 'relyd.db'))
      try {
        const of = (sql: string) => db.prepare<[], number>(sql).pluck().get() as number
        const stored =
          of('SELECT sum(octet_length(sub) + octet_length(secrets)) FROM sessions') +
          of(
            'SELECT sum(octet_length(client) + octet_length(settings) + octet_length(secrets)) FROM sites',
          )
        return [
          of('SELECT bytes FROM site_usage') - stored,
          of('SELECT bytes FROM realm_usage') - stored,
          stored,
        ]
      } finally {
        db.close()
      }
    }
    const one = await put()
    const before = bytes()
    expect(before.slice(0, 2)).toEqual([0, 0])
    await store.leaseSession(one.session_key, lease('holder'), NOW)
    expect(bytes()).toEqual(before)
    const longer = (was: SessionSecrets) => ({ ...was, access_token: 'a'.repeat(1000) })
    await store.finishRefresh(one, lease('holder'), longer, replaced)
    expect(bytes()).toEqual([0, 0, (before[2] as number) + 1000 - 'access'.length])
    await store.dropTokens(one.session_key, ['access'])
    expect(bytes().slice(0, 2)).toEqual([0, 0])
    expect(bytes()[2]).toBeLessThan(before[2] as number)
  })
})

test('an access token that is taken out meanwhile does not come back with what the holder stores', async () => {
  const one = await put()
  await store.leaseSession(one.session_key, lease('holder'), NOW)
  await second.dropTokens(one.session_key, ['access'])
  const rotated = (was: SessionSecrets) => ({ ...was, refresh_token: 'refresh 2' })
  const stored = await store.finishRefresh(one, lease('holder'), rotated)
  expect(stored).toMatchObject({
    session: { refresh_token_hash: sha256('refresh 2') },
    stored: true,
  })
  expect((await lookUp(one))?.secrets.access_token).toBeUndefined()
})

test('tokens are taken out although another writes at the same time', async () => {
  const one = await put()
  await store.leaseSession(one.session_key, lease('holder'), NOW)
  await Promise.all([
    store.finishRefresh(one, lease('holder'), renewed, replaced),
    store.dropTokens(one.session_key, ['access']),
    second.dropTokens(one.session_key, ['refresh']),
    store.dropTokens(one.session_key, []),
  ])
  const left = await lookUp(one)
  expect(left?.secrets).toEqual({ id_token: 'id', id_token_claims: {} })
})
