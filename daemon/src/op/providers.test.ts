/** What is known of an OP: fetched once, refreshed behind the scenes, kept while the OP is down. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { answers, BentOp, json, withMembers } from '../../../test/support/bent_op/index.js'
import { amplePlaces } from '../../../test/support/quotas.js'
import { putSite } from '../../../test/support/stored.js'
import { createLog } from '../log.js'
import { openStore } from '../store/open.js'
import type { SqliteStore } from '../store/sqlite.js'
import { OpHttp } from './http.js'
import { Providers } from './providers.js'

const REFRESH_AFTER = 3600

let folder: string
let store: SqliteStore
let op: BentOp
let issuer: string
let now: number
let log: string[]
const made: Providers[] = []

beforeEach(async () => {
  // Only the look for old documents is set off by hand; requests run on real time.
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  folder = mkdtempSync(join(tmpdir(), 'relyd-providers-'))
  const opened = await openStore({
    database: join(folder, 'store/db'),
    key_file: join(folder, 'keys/key'),
  })
  store = opened.store
  op = await BentOp.start()
  issuer = op.issuer
  now = 1_800_000_000
  log = []
})

afterEach(async () => {
  for (const providers of made.splice(0)) providers.close()
  vi.useRealTimers()
  await op[Symbol.asyncDispose]()
  await store.close()
  rmSync(folder, { recursive: true })
})

/** As after a start of the daemon: nothing in memory, the same store. */
function start(allowed_hosts: string[] = []): Providers {
  const providers = new Providers({
    ops: new Map(),
    realm: 'shop',
    http: new OpHttp({
      timeout: 2,
      insecure_hosts: ['127.0.0.1'],
      allowed_hosts,
      realm: 'shop',
      places: amplePlaces,
    }),
    store,
    clock: () => now,
    log: createLog('warn', { write: (line) => log.push(line) }),
    refresh_after: REFRESH_AFTER,
  })
  made.push(providers)
  return providers
}

test('many who ask at once share one request, and later ones need none', async () => {
  const providers = start()
  const found = await Promise.all(Array.from({ length: 20 }, () => providers.get(issuer)))
  expect(new Set(found).size).toBe(1)
  await providers.get(issuer)
  expect(op.calls()).toEqual({ discovery: 1, jwks: 1 })
})

test('after a restart the store answers, without the OP', async () => {
  const { metadata, jwks } = await start().get(issuer)
  await op[Symbol.asyncDispose]()
  const restored = await start().get(issuer)
  expect(restored.metadata).toEqual(metadata)
  expect(restored.jwks).toEqual(jwks)
})

test('what the store has from a realm that may call more is no way around the policy', async () => {
  const token_endpoint = 'https://[fd00::1]/token'
  op.bend({ discovery: withMembers({ token_endpoint }) })
  await start(['[fd00::1]']).get(issuer)
  await expect(start().get(issuer)).rejects.toMatchObject({ code: 'op_host_not_allowed' })
  op.straighten()
  const { metadata } = await start().get(issuer)
  expect(metadata.token_endpoint).toBe(op.address('token'))
})

test('old documents are refreshed in the background; nobody waits for it', async () => {
  await putSite(store, 'a', { realm: 'shop', op_host: issuer })
  const providers = start()
  const provider = await providers.get(issuer)
  vi.advanceTimersByTime(60_000)
  expect(op.calls()).toEqual({ discovery: 1, jwks: 1 })

  const end_session_endpoint = `${issuer}/bye`
  op.bend({ discovery: withMembers({ end_session_endpoint }) })
  now += REFRESH_AFTER
  vi.advanceTimersByTime(60_000)
  expect((await providers.get(issuer)).metadata.end_session_endpoint).toBe(undefined)
  await vi.waitFor(() => expect(provider.metadata.end_session_endpoint).toBe(end_session_endpoint))
  await vi.waitFor(async () =>
    expect((await store.getOpDocuments('shop', issuer))?.metadata).toMatchObject({
      end_session_endpoint,
    }),
  )
})

test('documents that were old when the daemon started are refreshed when they are first used', async () => {
  await start().get(issuer)
  now += REFRESH_AFTER
  const provider = await start().get(issuer)
  await vi.waitFor(() => expect(provider.fetched_at).toBe(now))
  expect(op.calls().discovery).toBe(2)
})

test('while the OP answers nonsense or nothing, the last good copy serves on, and the log says so', async () => {
  await putSite(store, 'a', { realm: 'shop', op_host: issuer })
  const providers = start()
  const provider = await providers.get(issuer)
  const { metadata } = provider
  op.bend({ discovery: answers(json({ issuer: 'https://evil.example' })) })
  now += REFRESH_AFTER
  vi.advanceTimersByTime(60_000)
  await vi.waitFor(() => expect(log.join()).toContain('the last copy serves on'))
  expect((await providers.get(issuer)).metadata).toBe(metadata)
  op.straighten()

  await op[Symbol.asyncDispose]()
  log.length = 0
  vi.advanceTimersByTime(60_000)
  await vi.waitFor(() => expect(log.join()).toContain('connection refused'))
  expect((await providers.get(issuer)).metadata).toBe(metadata)
})

test('an OP at which no site is any more is asked no more', async () => {
  await putSite(store, 'a', { realm: 'shop', op_host: issuer })
  const providers = start()
  await providers.get(issuer)
  await store.removeSite('a')
  now += REFRESH_AFTER
  vi.advanceTimersByTime(60_000)
  await vi.waitFor(() => expect([...providers.cached()]).toEqual([]))
  expect(op.calls().discovery).toBe(1)
})
