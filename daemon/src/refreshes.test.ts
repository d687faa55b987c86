/** Who refreshes when several want to, and what becomes of it when one of them dies, is late, or the session goes. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { BentOp } from '../../test/support/bent_op/index.js'
import { amplePlaces } from '../../test/support/quotas.js'
import { createLog } from './log.js'
import { createOpSide, type OpSide } from './op/op_side.js'
import { Refreshes, type RefreshWish } from './refreshes.js'
import { hashToken } from './sessions.js'
import { makeExpiringId } from './store/expiring_id.js'
import { openStore } from './store/open.js'
import type { SqliteStore } from './store/sqlite.js'
import type { Site, StoredSession } from './store/store.js'

const OP_TIMEOUT = 2
/** Of a holder: twice `OP_TIMEOUT`, and a margin. */
const LEASE = 9

const client_id = 'issued'
const client_secret = 'a secret of the operator'
const redirect_uri = 'https://site.example/callback'

let folder: string
let store: SqliteStore
let op: BentOp
let side: OpSide
let site: Site
let session: StoredSession
let session_id: string
let now: number
/** Runs at each pause, in the place of time. */
let onPause: () => unknown
let pauses: number[]

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'relyd-refreshes-'))
  const files = { database: join(folder, 'store/db'), key_file: join(folder, 'keys/key') }
  store = (await openStore(files)).store
  op = await BentOp.start()
  now = Math.floor(Date.now() / 1000)
  pauses = []
  onPause = () => {}
  const clock = () => now
  side = createOpSide({
    realm: 'shop',
    store,
    clock,
    log: createLog('silent'),
    timeout: OP_TIMEOUT,
    insecure_hosts: ['127.0.0.1'],
    allowed_hosts: [],
    places: amplePlaces,
    refresh_after: 3600,
  })
  op.addClient({
    client_id,
    client_secret,
    token_endpoint_auth_method: 'client_secret_basic',
    redirect_uris: [redirect_uri],
  })
  site = issuedSite()
  session_id = makeExpiringId(now + 600)
  session = await putSession()
})

afterEach(async () => {
  await side.close()
  await op[Symbol.asyncDispose]()
  await store.close()
  rmSync(folder, { recursive: true })
})

function issuedSite(): Site {
  return {
    oxd_id: 'site',
    realm: 'shop',
    op_host: op.issuer,
    issuer: op.issuer,
    redirect_uri,
    registered_by: 'operator',
    client: { client_id },
    settings: { scope: ['openid'], login_binding: 'none', tokens: 'site' },
    created_at: now,
    secrets: { client_secret },
  }
}

async function putSession(): Promise<StoredSession> {
  const { access_token, refresh_token } = op.grant(client_id)
  await store.putSession({
    session_id,
    oxd_id: site.oxd_id,
    issuer: op.issuer,
    sub: op.sub,
    sid: null,
    acr: null,
    amr: null,
    auth_time: null,
    created_at: now,
    access_token_hash: hashToken(access_token),
    secrets: {
      access_token,
      refresh_token,
      id_token: 'id token',
      id_token_claims: { sub: op.sub },
    },
  })
  return present()
}

/** The session as it is now. */
async function present(): Promise<StoredSession> {
  return (await store.getSession(session_id, 'site', now)) as StoredSession
}

function daemon(): Refreshes {
  const pause = async (ms: number) => {
    pauses.push(ms)
    await onPause()
  }
  return new Refreshes({ store, clock: () => now, op_timeout: OP_TIMEOUT, pause })
}

/** Of who wants another access token than the session began with. */
function another(): RefreshWish {
  const { access_token_hash } = session
  return { isDone: (one) => !one.access_token_hash.equals(access_token_hash) }
}

/** Takes the lease, as a daemon that is about to ask the OP. */
async function hold(): Promise<{ token: Buffer; until: number }> {
  const lease = { token: Buffer.alloc(16, 'holder'), until: now + LEASE }
  expect(await store.leaseSession(session.session_key, lease, now)).toMatchObject({ leased: true })
  return lease
}

/** Lets something happen while the OP is being asked. */
function during(happens: () => Promise<unknown>): void {
  op.bend({
    token: (answer) => {
      op.straighten()
      return (response) => {
        void happens().then(() => {
          response.writeHead(answer.status, answer.headers)
          response.end(JSON.stringify(answer.body))
        })
      }
    },
  })
}

test('who finds the lease taken waits with growing pauses, and has what its holder stored', async () => {
  const lease = await hold()
  onPause = async () => {
    if (pauses.length < 7) return
    await store.finishRefresh(session.session_key, lease, (secrets) => ({
      ...secrets,
      access_token: 'of the holder',
    }))
  }
  const refreshed = await daemon().refresh(side, site, session, another())
  expect(refreshed.session.secrets.access_token).toBe('of the holder')
  expect(pauses).toEqual([25, 50, 100, 200, 400, 500, 500])
  expect(op.calls().token).toBeUndefined()
})

test('the lease of a holder that died is taken over when it has run out, and not before', async () => {
  await hold()
  const began = now
  onPause = () => {
    now += 1
  }
  const { answer } = await daemon().refresh(side, site, session, another())
  expect(answer?.access_token).toBe(op.access_tokens.at(-1))
  expect(now).toBe(began + LEASE + 1)
  expect(op.calls().token).toBe(1)
})

test('a lease that others have all the time ends in refresh_in_progress', async () => {
  const { token } = await hold()
  const began = now
  onPause = async () => {
    now += 1
    await store.releaseSession(session.session_key, { token, until: 0 })
    await hold()
  }
  await expect(daemon().refresh(side, site, session, another())).rejects.toMatchObject({
    code: 'refresh_in_progress',
    retryable: true,
  })
  expect(now - began).toBe(2 * LEASE + 1)
  expect(op.calls().token).toBeUndefined()
})

test('who lost the lease does not overwrite what the next one stored', async () => {
  op.rotates = false
  const late = daemon()
  let next: StoredSession | undefined
  during(async () => {
    now += LEASE + 1
    next = (await daemon().refresh(side, site, session, another())).session
  })
  const { session: had } = await late.refresh(side, site, session, another())
  expect(next?.secrets.access_token).toBe(op.access_tokens.at(-1))
  expect(had.secrets).toEqual(next?.secrets)
  expect((await present()).secrets).toEqual(next?.secrets)
  expect(op.calls().revocation).toBeUndefined()
})

test('a session that ends while it is refreshed leaves no tokens alive at the OP', async () => {
  during(() => store.takeSession(session_id, 'site', now))
  await expect(daemon().refresh(side, site, session, another())).rejects.toMatchObject({
    code: 'invalid_session_id',
  })
  expect(op.calls()).toMatchObject({ token: 1, revocation: 1 })
  expect(op.isActive(op.access_tokens.at(-1) as string)).toBe(false)
})

test('tokens that are revoked while they are refreshed are not replaced', async () => {
  during(() => store.dropTokens(session.session_key, ['refresh', 'access']))
  await expect(daemon().refresh(side, site, session, another())).rejects.toMatchObject({
    code: 'no_refresh_token',
  })
  expect(op.calls()).toMatchObject({ token: 1, revocation: 1 })
  const { secrets } = await present()
  expect(secrets.access_token).toBeUndefined()
  expect(secrets.refresh_token).toBeUndefined()
})

test('a failure gives the lease back at once', async () => {
  op.bend({ token: () => ({ status: 503, headers: {}, body: '' }) })
  const failing = daemon().refresh(side, site, session, another())
  await expect(failing).rejects.toMatchObject({ code: 'op_unreachable' })
  op.straighten()
  await hold()
  expect((await present()).secrets).toEqual(session.secrets)
})

test('of ten who ask in one process at once, all have one answer, or one failure', async () => {
  const one = daemon()
  const ask = () => one.refresh(side, site, session, another())
  op.bend({ token: () => ({ status: 503, headers: {}, body: '' }) })
  const failed = await Promise.allSettled(Array.from({ length: 10 }, ask))
  expect(failed.map(({ status }) => status)).toEqual(failed.map(() => 'rejected'))
  expect(op.calls().token).toBe(1)
  op.straighten()

  op.rotates = false
  session = { ...session, ...(await putFresh()) }
  const all = await Promise.all(Array.from({ length: 10 }, ask))
  expect(new Set(all.map(({ answer }) => answer?.access_token)).size).toBe(1)
  expect(op.calls().token).toBe(2)
})

async function putFresh(): Promise<StoredSession> {
  session_id = makeExpiringId(now + 600)
  return putSession()
}

test('at its end a daemon waits for who asks the OP, and not for another daemon', async () => {
  const ending = daemon()
  let finished: Promise<void> | undefined
  during(async () => {
    finished = ending.finish()
  })
  const { answer } = await ending.refresh(side, site, session, another())
  expect(answer).toBeDefined()
  await finished

  session = await putFresh()
  await hold()
  const waiting = daemon()
  onPause = () => {
    finished ??= waiting.finish()
  }
  finished = undefined
  await expect(waiting.refresh(side, site, session, another())).rejects.toMatchObject({
    code: 'shutting_down',
    retryable: true,
  })
  expect(pauses).toHaveLength(1)
  await finished
})
