/** What the store promises, on real SQLite files. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ample } from '../../../test/support/quotas.js'
import { sha256 } from '../digest.js'
import { hideExpiringId, makeExpiringId, parseExpiringId } from './expiring_id.js'
import { openKept } from './kept_database.js'
import { openStore } from './open.js'
import type { SqliteStore } from './sqlite.js'
import type { Login, Place, RegistrationIntent, Session, Site, StoredSession } from './store.js'

const NOW = 1_800_000_000
const KEY_HASH = Buffer.alloc(32, 'key')
const BINDING = Buffer.alloc(32, 'binding')
let folder: string
let store: SqliteStore
let second: SqliteStore

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'relyd-store-'))
  const options = {
    database: join(folder, 'data', 'relyd.db'),
    key_file: join(folder, 'key'),
    busy_timeout_ms: 1,
  }
  store = (await openStore(options)).store
  second = (await openStore(options)).store
})
afterEach(async () => {
  await store.close()
  await second.close()
  rmSync(folder, { recursive: true })
})

/** Another program's look at the file. */
function inspectDatabase<T>(look: (db: Database.Database) => T): T {
  const db = openKept(join(folder, 'data', 'relyd.db'))
  try {
    return look(db)
  } finally {
    db.close()
  }
}

function countOf(table: string): unknown {
  return inspectDatabase((db) => db.prepare(`SELECT count(*) FROM ${table}`).pluck().get())
}

function login(changes: Partial<Login> = {}): Login {
  return {
    state: makeExpiringId(NOW + 600),
    oxd_id: 'site',
    issuer: 'https://op.example',
    redirect_uri: 'https://site.example/callback',
    binding_hash: BINDING,
    max_age: 300,
    secrets: { nonce: 'marker-nonce', code_verifier: 'marker-verifier' },
    ...changes,
  }
}

function session(changes: Partial<Session> = {}): Session {
  return {
    session_id: makeExpiringId(NOW + 600),
    oxd_id: 'site',
    issuer: 'https://op.example',
    sub: 'marker-sub',
    sid: 'sid',
    acr: 'acr',
    amr: ['pwd', 'otp'],
    auth_time: NOW - 5,
    created_at: NOW,
    access_token_hash: Buffer.alloc(32, 'token'),
    secrets: {
      access_token: 'marker-access-token',
      refresh_token: 'marker-refresh-token',
      id_token: 'marker-id-token',
      id_token_claims: { email: 'marker-claim' },
    },
    ...changes,
  }
}

/** As the store gives back what was put. */
function stored({ session_id, ...session }: Session): StoredSession {
  const { refresh_token } = session.secrets
  return {
    ...session,
    session_key: hideExpiringId(parseExpiringId(session_id) as Buffer),
    refresh_token_hash: refresh_token === undefined ? null : sha256(refresh_token),
  }
}

function site(changes: Partial<Site> = {}): Site {
  return {
    oxd_id: 'site',
    realm: 'shop',
    op_host: 'https://op.example',
    issuer: 'https://op.example',
    redirect_uri: 'https://site.example/callback',
    registered_by: 'relyd',
    client: { client_id: 'client', further: ['kept', { as: 'it came' }] },
    settings: { scope: ['openid', 'email'], login_binding: 'required', tokens: 'daemon' },
    created_at: NOW,
    secrets: { client_secret: 'marker-client-secret', registration_access_token: 'marker-rat' },
    name: null,
    version: 1,
    updated_at: null,
    renew_at: null,
    ...changes,
  }
}

function intent(changes: Partial<RegistrationIntent> = {}): RegistrationIntent {
  return {
    realm: 'shop',
    idempotency_hash: KEY_HASH,
    params_hash: Buffer.alloc(32, 'params'),
    oxd_id: 'site',
    lease_until: NOW + 30,
    ...changes,
  }
}

async function addSite(changes: Partial<Site> = {}): Promise<void> {
  const added = site(changes)
  const { oxd_id, realm } = added
  const idempotency_hash = Buffer.from(`key of ${oxd_id}`)
  await store.beginRegistration(intent({ realm, oxd_id, idempotency_hash }), NOW, ample)
  await store.finishRegistration(added, idempotency_hash)
}

describe('a registration', () => {
  test('is begun once; others learn who has it, and with which parameters', async () => {
    const other = intent({ oxd_id: 'other', params_hash: Buffer.alloc(32, 'else') })
    const { params_hash } = intent()
    const starts = await Promise.all([
      store.beginRegistration(intent(), NOW, ample),
      store.beginRegistration(other, NOW, ample),
      second.beginRegistration(other, NOW + 30, ample),
    ])
    expect(starts).toEqual([
      { outcome: 'begun', oxd_id: 'site' },
      { outcome: 'in_progress', oxd_id: 'site', params_hash },
      { outcome: 'in_progress', oxd_id: 'site', params_hash },
    ])
  })

  test('is begun once by fifty at a time', async () => {
    const starts = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        [store, second][index % 2]?.beginRegistration(
          intent({ oxd_id: `site-${index}` }),
          NOW,
          ample,
        ),
      ),
    )
    expect(starts.filter((start) => start?.outcome === 'begun')).toHaveLength(1)
    expect(new Set(starts.map((start) => start && 'oxd_id' in start && start.oxd_id)).size).toBe(1)
  })

  test('stays registered when it is finished, with its parameters and past its lease', async () => {
    await store.beginRegistration(intent(), NOW, ample)
    await store.finishRegistration(site(), KEY_HASH)
    const again = intent({ oxd_id: 'other', params_hash: Buffer.alloc(32, 'else') })
    expect(await second.beginRegistration(again, NOW + 9999, ample)).toEqual({
      outcome: 'registered',
      oxd_id: 'site',
      params_hash: intent().params_hash,
    })
    expect(await second.getSite('site', 'shop')).toEqual(site())
  })

  test('of one realm is none of another', async () => {
    await store.beginRegistration(intent(), NOW, ample)
    const elsewhere = intent({ realm: 'blog', oxd_id: 'other' })
    expect(await store.beginRegistration(elsewhere, NOW, ample)).toMatchObject({ outcome: 'begun' })
  })

  test('is taken over when its lease ran out, and its first holder gets nothing', async () => {
    await store.beginRegistration(intent(), NOW, ample)
    const heir = intent({
      oxd_id: 'heir',
      params_hash: Buffer.alloc(32, 'else'),
      lease_until: NOW + 61,
    })
    expect(await second.beginRegistration(heir, NOW + 31, ample)).toEqual({
      outcome: 'begun',
      oxd_id: 'heir',
    })
    await store.abandonRegistration('shop', KEY_HASH, 'site')
    await expect(store.finishRegistration(site(), KEY_HASH)).rejects.toMatchObject({
      name: 'StoreError',
      code: 'lease_lost',
    })
    expect(await store.getSite('site', 'shop')).toBeUndefined()
    expect(await store.beginRegistration(intent(), NOW + 31, ample)).toEqual({
      outcome: 'in_progress',
      oxd_id: 'heir',
      params_hash: heir.params_hash,
    })
    await second.finishRegistration(site({ oxd_id: 'heir' }), KEY_HASH)
    expect(await store.getSite('heir', 'shop')).toBeDefined()
  })

  test('may be finished late if nobody took it over', async () => {
    await store.beginRegistration(intent({ lease_until: NOW - 100 }), NOW, ample)
    await store.finishRegistration(site(), KEY_HASH)
    expect(await store.getSite('site', 'shop')).toBeDefined()
  })

  test('is begun anew after it was abandoned, but not once finished', async () => {
    await store.beginRegistration(intent(), NOW, ample)
    await store.abandonRegistration('shop', KEY_HASH, 'site')
    expect(await store.beginRegistration(intent(), NOW, ample)).toMatchObject({ outcome: 'begun' })
    await store.finishRegistration(site(), KEY_HASH)
    await store.abandonRegistration('shop', KEY_HASH, 'site')
    expect(await store.beginRegistration(intent(), NOW, ample)).toMatchObject({
      outcome: 'registered',
    })
  })

  test('remains unfinished if the site cannot be stored', async () => {
    await addSite()
    await store.beginRegistration(intent(), NOW, ample)
    await expect(store.finishRegistration(site(), KEY_HASH)).rejects.toThrow(/UNIQUE/)
    expect(await store.beginRegistration(intent(), NOW, ample)).toMatchObject({
      outcome: 'in_progress',
    })
  })
})

describe('a site', () => {
  test('comes back as it was stored', async () => {
    await addSite()
    expect(await second.getSite('site', 'shop')).toEqual(site())
    expect(await store.getSite('none', 'shop')).toBeUndefined()
  })

  test('goes with its intent, logins and sessions, and no others', async () => {
    await addSite()
    await addSite({ oxd_id: 'stays' })
    const stays = { oxd_id: 'stays' }
    const [kept_login, kept_session] = [login(stays), session(stays)]
    await Promise.all([
      ...[login(), login(), kept_login].map((each) => store.putLogin(each, ample)),
      ...[session(), session(), kept_session].map((each) => store.putSession(each)),
    ])
    expect(await second.removeSite('site')).toBe(true)
    expect(await store.removeSite('site')).toBe(false)
    expect(await store.getSite('site', 'shop')).toBeUndefined()
    expect(['sites', 'registrations'].map(countOf)).toEqual([1, 1])
    // Its sessions in slices; its logins when they expire.
    expect(await store.sweep(NOW, 1)).toBe(1)
    expect(countOf('sessions')).toBe(2)
    await store.sweep(NOW, 10)
    expect(countOf('sessions')).toBe(1)
    expect(await store.putLogin(login(), ample)).toBe('no_site')
    expect(await store.takeLogin(kept_login.state, 'stays', BINDING, NOW)).toEqual(kept_login)
    expect(await store.getSession(kept_session.session_id, 'stays', NOW)).toEqual(
      stored(kept_session),
    )
  })

  test('comes after whom the operator named, and who was at its redirect_uri before', async () => {
    const issuersBefore = async (before: Place) => {
      const ops = await store.opsOfRedirectUri('shop', 'https://site.example/callback', before)
      return ops.map(({ issuer }) => issuer).sort()
    }
    const at = (since: number, oxd_id = '', of_operator = false) => ({ of_operator, since, oxd_id })
    await addSite({ oxd_id: 'old', issuer: 'https://old', created_at: 10 })
    await addSite({ oxd_id: 'new', issuer: 'https://new', created_at: 20 })
    await addSite({ oxd_id: 'named', issuer: 'https://named', created_at: 30, name: 'named' })
    const settings = { scope: ['openid'], login_binding: 'required', tokens: 'site' } as const
    await addSite({
      oxd_id: 'moved',
      issuer: 'https://moved',
      created_at: 5,
      settings: { ...settings, scope: [...settings.scope], moved_at: 40 },
    })
    expect(await issuersBefore(at(10, 'old'))).toEqual(['https://named'])
    expect(await issuersBefore(at(20, 'new'))).toEqual(['https://named', 'https://old'])
    expect(await issuersBefore(at(20, 'newer'))).toContain('https://new')
    const others = ['https://named', 'https://new', 'https://old']
    expect(await issuersBefore(at(40, 'moved'))).toEqual(others)
    expect(await issuersBefore(at(30, 'named', true))).toEqual([])
    expect(await issuersBefore(at(41, '', true))).toEqual(['https://named'])
  })

  test('is found by its redirect_uri, each issuer once', async () => {
    await addSite({ oxd_id: '1' })
    await addSite({ oxd_id: '2' })
    await addSite({ oxd_id: '3', issuer: 'https://other.example' })
    await addSite({
      oxd_id: '4',
      redirect_uri: 'https://else.example',
      issuer: 'https://x.example',
    })
    await addSite({ oxd_id: '5', realm: 'other', issuer: 'https://foreign.example' })
    const issuers = await store.issuersOfRedirectUri('shop', 'https://site.example/callback')
    expect(issuers).toHaveLength(2)
    expect(new Set(issuers)).toEqual(new Set(['https://op.example', 'https://other.example']))
    expect(await store.issuersOfRedirectUri('shop', 'https://none.example')).toEqual([])
  })
})

describe('a login', () => {
  beforeEach(() => addSite())

  test.each([
    ['bound', login()],
    ['unbound', login({ binding_hash: null, max_age: null })],
  ])('is taken once, as it was put: %s', async (_, put) => {
    await store.putLogin(put, ample)
    expect(await second.takeLogin(put.state, 'site', put.binding_hash, NOW)).toEqual(put)
    expect(await store.takeLogin(put.state, 'site', put.binding_hash, NOW)).toBe('unknown')
  })

  test('is taken by one of fifty callers of two stores', async () => {
    const put = login()
    await store.putLogin(put, ample)
    const taken = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        [store, second][index % 2]?.takeLogin(put.state, 'site', BINDING, NOW),
      ),
    )
    expect(taken.filter((result) => result === 'unknown')).toHaveLength(49)
    expect(taken).toContainEqual(put)
  })

  test.each([Buffer.alloc(32, 'other'), null])('stays when the binding is wrong', async (wrong) => {
    const put = login()
    await store.putLogin(put, ample)
    expect(await store.takeLogin(put.state, 'site', wrong, NOW)).toBe('wrong_binding')
    expect(await store.takeLogin(put.state, 'site', BINDING, NOW)).toEqual(put)
  })

  test('is unknown to another site, which learns nothing of the binding either', async () => {
    const put = login()
    await store.putLogin(put, ample)
    expect(await store.takeLogin(put.state, 'other', BINDING, NOW)).toBe('unknown')
    expect(await store.takeLogin(put.state, 'other', null, NOW)).toBe('unknown')
    expect(await store.takeLogin(put.state, 'site', BINDING, NOW)).toEqual(put)
  })

  test('is unknown once it expired, and until then not', async () => {
    const put = login({ state: makeExpiringId(NOW) })
    await store.putLogin(put, ample)
    expect(await store.takeLogin(put.state, 'site', BINDING, NOW + 1)).toBe('unknown')
    expect(await store.takeLogin(put.state, 'site', BINDING, NOW)).toEqual(put)
  })

  test.each(['', 'state', `${makeExpiringId(NOW)}=`, makeExpiringId(NOW + 600)])(
    'is unknown by a state that was never put',
    async (state) => {
      await store.putLogin(login(), ample)
      expect(await store.takeLogin(state, 'site', BINDING, NOW)).toBe('unknown')
    },
  )

  test('is not taken when the commit fails', async () => {
    const put = login()
    await store.putLogin(put, ample)
    const taken = inspectDatabase(async (db) => {
      db.exec('BEGIN IMMEDIATE')
      const attempt = store.takeLogin(put.state, 'site', BINDING, NOW)
      // Commits now, while the other connection holds the lock.
      await store.close()
      return attempt
    })
    await expect(taken).rejects.toMatchObject({ name: 'StoreError', code: 'commit_failed' })
    expect(await second.takeLogin(put.state, 'site', BINDING, NOW)).toEqual(put)
  })

  test('shares a commit with all others of its turn', async () => {
    const before = store.commits
    await Promise.all(Array.from({ length: 100 }, () => store.putLogin(login(), ample)))
    expect(store.commits - before).toBe(1)
    expect(countOf('logins')).toBe(100)
  })

  test('that cannot be put fails alone', async () => {
    const put = login()
    const results = await Promise.allSettled([
      store.putLogin(put, ample),
      store.putLogin(put, ample),
      store.putLogin(login({ state: 'of other make' }), ample),
      store.putLogin(login(), ample),
    ])
    expect(results.map(({ status }) => status)).toEqual([
      'fulfilled',
      'rejected',
      'rejected',
      'fulfilled',
    ])
    expect(countOf('logins')).toBe(2)
  })
})

describe('a session', () => {
  test.each([
    ['full', session()],
    ['sparse', session({ sid: null, acr: null, amr: null, auth_time: null })],
  ])('comes back as it was put, and goes once: %s', async (_, put) => {
    await store.putSession(put)
    expect(await second.getSession(put.session_id, 'site', NOW)).toEqual(stored(put))
    const taken = await Promise.all(
      [store, second, store].map((each) => each.takeSession(put.session_id, 'site', NOW)),
    )
    expect(taken.filter((result) => result !== undefined)).toEqual([stored(put)])
    expect(await store.getSession(put.session_id, 'site', NOW)).toBeUndefined()
  })

  test('is no other site’s, and nobody’s once it expired', async () => {
    const put = session({ session_id: makeExpiringId(NOW) })
    const { session_id, access_token_hash } = put
    await store.putSession(put)
    for (const [oxd_id, now] of [
      ['other', NOW],
      ['site', NOW + 1],
    ] as const) {
      expect(await store.getSession(session_id, oxd_id, now)).toBeUndefined()
      expect(await store.takeSession(session_id, oxd_id, now)).toBeUndefined()
      expect(await store.findSession(oxd_id, 'access', access_token_hash, now)).toBeUndefined()
    }
    expect(await store.getSession(session_id, 'site', NOW)).toEqual(stored(put))
    expect(await store.getSession('no id', 'site', NOW)).toBeUndefined()
    expect(await store.takeSession('no id', 'site', NOW)).toBeUndefined()
  })

  test('tells whose access token it is', async () => {
    const other_hash = Buffer.alloc(32, 'other token')
    await store.putSession(session())
    await store.putSession(session({ sub: 'other', access_token_hash: other_hash }))
    const { access_token_hash } = session()
    const sub = async (hash: Buffer) => {
      const found = await store.findSession('site', 'access', hash, NOW)
      return found?.session.sub
    }
    expect(await sub(access_token_hash)).toBe('marker-sub')
    expect(await sub(other_hash)).toBe('other')
    expect(await sub(Buffer.alloc(32))).toBeUndefined()
  })
})

describe('at rest', () => {
  test('the files show no secret, session id, or binding of a reader’s choice', async () => {
    await addSite()
    const put = session()
    await Promise.all([store.putLogin(login(), ample), store.putSession(put)])
    const { database, wal } = {
      database: readFileSync(join(folder, 'data', 'relyd.db')),
      wal: readFileSync(join(folder, 'data', 'relyd.db-wal')),
    }
    const bytes = Buffer.concat([database, wal])
    // The search would find them: what is not secret is there.
    expect(bytes.includes('marker-sub')).toBe(true)
    for (const hidden of [
      'marker-nonce',
      'marker-verifier',
      'marker-access-token',
      'marker-refresh-token',
      'marker-id-token',
      'marker-claim',
      'marker-client-secret',
      'marker-rat',
      put.session_id,
    ]) {
      expect(bytes.includes(hidden), hidden).toBe(false)
    }
    expect(bytes.includes(parseExpiringId(put.session_id)?.subarray(4) as Buffer)).toBe(false)
  })

  test.each([
    ['sites', 'oxd_id'],
    ['logins', 'state'],
    ['sessions', 'session_key'],
  ])('secrets of %s do not open in another row', async (table, key) => {
    const [first, other] = [login(), login()]
    const [first_session, other_session] = [session(), session()]
    await addSite()
    await addSite({ oxd_id: 'other' })
    await Promise.all([store.putLogin(first, ample), store.putLogin(other, ample)])
    await Promise.all([store.putSession(first_session), store.putSession(other_session)])
    inspectDatabase((db) =>
      db.exec(`CREATE TEMP TABLE before AS SELECT ${key}, secrets FROM ${table};
        UPDATE ${table} SET secrets =
          (SELECT secrets FROM before WHERE before.${key} <> ${table}.${key})`),
    )
    const read = {
      sites: () => store.getSite('site', 'shop'),
      logins: () => store.takeLogin(first.state, 'site', BINDING, NOW),
      sessions: () => store.getSession(first_session.session_id, 'site', NOW),
    }[table]
    await expect(read?.()).rejects.toMatchObject({
      name: 'StoreError',
      code: 'tampered',
      message: expect.stringContaining(`table ${table},`),
    })
  })
})

test('an OP’s documents come back as they were put last', async () => {
  const op_host = 'https://op.example'
  expect(await store.getOpDocuments('shop', op_host)).toBeUndefined()
  const first = {
    realm: 'shop',
    op_host,
    metadata: { issuer: op_host },
    jwks: null,
    fetched_at: NOW,
  }
  await store.putOpDocuments(first)
  expect(await second.getOpDocuments('shop', op_host)).toEqual(first)
  const next = { ...first, jwks: { keys: [{ kty: 'RSA', kid: '1' }] }, fetched_at: NOW + 1 }
  await second.putOpDocuments(next)
  expect(await store.getOpDocuments('shop', op_host)).toEqual(next)
  expect(await store.getOpDocuments('other', op_host)).toBeUndefined()
})

describe('the sweep', () => {
  test('deletes what expired, in slices, and nothing else', async () => {
    await addSite()
    const expired = makeExpiringId.bind(null, NOW - 1)
    const alive = [makeExpiringId(NOW), makeExpiringId(NOW + 1)]
    await Promise.all([
      ...Array.from({ length: 5 }, () => store.putLogin(login({ state: expired() }), ample)),
      ...Array.from({ length: 3 }, () => store.putSession(session({ session_id: expired() }))),
      ...alive.map((state) => store.putLogin(login({ state }), ample)),
      ...alive.map((session_id) => store.putSession(session({ session_id }))),
    ])
    const swept = [
      await store.sweep(NOW, 2),
      await store.sweep(NOW, 2),
      await store.sweep(NOW, 2),
      await store.sweep(NOW, 2),
    ]
    expect(swept).toEqual([4, 3, 1, 0])
    expect([countOf('logins'), countOf('sessions')]).toEqual([2, 2])
  })

  test('forgets registrations that were left unfinished a day ago', async () => {
    await addSite()
    const left = intent({ lease_until: NOW })
    await store.beginRegistration(left, NOW, ample)
    expect(await store.sweep(NOW + 86_400, 10)).toBe(0)
    expect(await store.sweep(NOW + 86_401, 10)).toBe(1)
    expect(await store.sweep(NOW + 999_999, 10)).toBe(0)
    expect(countOf('registrations')).toBe(1)
    expect(await store.getSite('site', 'shop')).toBeDefined()
  })

  test('takes one commit', async () => {
    const before = store.commits
    await store.sweep(NOW, 10)
    expect(store.commits - before).toBe(1)
  })
})

describe('closing', () => {
  beforeEach(() => addSite())

  test('commits what is pending', async () => {
    const put = login()
    const pending = store.putLogin(put, ample)
    await store.close()
    await pending
    expect(await second.takeLogin(put.state, 'site', BINDING, NOW)).toEqual(put)
  })

  test('leaves everything in the database, for whoever copies it, even while another is open', async () => {
    await store.putLogin(login(), ample)
    await store.close()
    const database = join(folder, 'data', 'relyd.db')
    expect(readFileSync(`${database}-wal`)).toHaveLength(0)
    expect(readFileSync(database).includes('https://site.example/callback')).toBe(true)
  })

  test('may be repeated, and ends every other operation', async () => {
    await store.close()
    await store.close()
    const state = makeExpiringId(NOW)
    const hash = Buffer.alloc(32)
    const operations = [
      store.beginRegistration(intent(), NOW, ample),
      store.finishRegistration(site(), hash),
      store.abandonRegistration('shop', hash, 'site'),
      store.getSite('site', 'shop'),
      store.removeSite('site'),
      store.issuersOfRedirectUri('shop', 'https://site.example'),
      store.opsOfRedirectUri('shop', 'https://site.example', {
        of_operator: false,
        since: NOW,
        oxd_id: '',
      }),
      store.putLogin(login(), ample),
      store.takeLogin(state, 'site', null, NOW),
      store.putSession(session()),
      store.getSession(state, 'site', NOW),
      store.takeSession(state, 'site', NOW),
      store.findSession('site', 'access', hash, NOW),
      store.getOpDocuments('shop', 'https://op.example'),
      store.putOpDocuments({
        realm: 'shop',
        op_host: 'x',
        metadata: {},
        jwks: null,
        fetched_at: NOW,
      }),
      store.sweep(NOW, 1),
    ]
    for (const result of await Promise.allSettled(operations)) {
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'closed' } })
    }
  })
})
