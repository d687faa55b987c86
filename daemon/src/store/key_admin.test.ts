/** Commands on keys, beside others and beside daemons that write meanwhile. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { makeExpiringId } from './expiring_id.js'
import { openKept } from './kept_database.js'
import { addKey, type KeyPlace, listKeys, retireKey } from './key_admin.js'
import { addKeyTo, removeKeyFrom } from './key_file_change.js'
import { openStore } from './open.js'
import { rowsByKey } from './sealed_tables.js'

// Real, but where a test makes a race of them.
vi.mock('./key_file_change.js', { spy: true })
vi.mock('./sealed_tables.js', { spy: true })

const NOW = 1_800_000_000
let folder: string
let place: KeyPlace

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'relyd-admin-'))
  place = { database: join(folder, 'data', 'relyd.db'), key_file: join(folder, 'key') }
})
afterEach(() => {
  vi.resetAllMocks()
  rmSync(folder, { recursive: true })
})

/** @returns the id of the key that encrypts */
async function start({ session = false } = {}): Promise<string> {
  const { store, encryption } = await openStore({ ...place, clock: () => NOW })
  if (session) {
    await store.putSession({
      session_id: makeExpiringId(NOW),
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
    })
  }
  await store.close()
  return encryption.key_id
}

test('the file is read and written while no other command can', async () => {
  const first = await start()
  const other = openKept(place.database, { timeout: 1 })
  const attempts: string[] = []
  const attempt = () => {
    try {
      other.exec('BEGIN IMMEDIATE; ROLLBACK')
      attempts.push('let in')
    } catch (error) {
      attempts.push(String(error))
    }
  }
  const real = await vi.importActual<typeof import('./key_file_change.js')>('./key_file_change.js')
  vi.mocked(addKeyTo).mockImplementation((...given) => {
    attempt()
    real.addKeyTo(...given)
  })
  vi.mocked(removeKeyFrom).mockImplementation((...given) => {
    attempt()
    real.removeKeyFrom(...given)
  })
  addKey(place)
  await start()
  retireKey(place, first, NOW + 60)
  expect(attempts).toEqual(Array(2).fill('SqliteError: database is locked'))
  other.close()
})

test('a row that was written while a key was being retired keeps the key', async () => {
  const first = await start({ session: true })
  addKey(place)
  await start()
  const before = listKeys(place)
  // As if the row had come just after the first look.
  vi.mocked(rowsByKey).mockReturnValueOnce(new Map())
  expect(() => retireKey(place, first, NOW + 60)).toThrow(/still encrypts 1 session; /)
  expect(listKeys(place)).toEqual(before)
})
