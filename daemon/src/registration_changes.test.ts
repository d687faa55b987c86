/** When a client secret is renewed: by the program, and for what an older one has stored. */
import { expect, test } from 'vitest'
import { renewalOf } from './registration_changes.js'
import { openKept } from './store/kept_database.js'
import { runMigrations } from './store/migrations/migrate.js'

const NOW = 1_800_000_000
const HOUR = 3600
const DAY = 24 * HOUR

const lives: [life: number, margin: number][] = [
  [2, 1],
  [HOUR, HOUR / 2],
  [3 * HOUR, HOUR],
  [DAY, 6 * HOUR],
  [28 * DAY, 7 * DAY],
  [365 * DAY, 14 * DAY],
]

test.each(lives)('P9 a secret that is good for %d seconds is renewed %d before', (life, margin) => {
  const client = { client_id: 'a', client_secret_expires_at: NOW + life }
  expect(renewalOf({ client }, NOW)).toBe(NOW + life - margin)
})

test('P9 one that is good for ever never', () => {
  expect(renewalOf({ client: { client_id: 'a' } }, NOW)).toBeNull()
  expect(renewalOf({ client: { client_id: 'a', client_secret_expires_at: 0 } }, NOW)).toBeNull()
})

test('what an older daemon has registered is renewed too', () => {
  const db = openKept(':memory:')
  runMigrations(db, 0, 5)
  const insert = db.prepare(
    `INSERT INTO sites (oxd_id, realm, op_host, issuer, redirect_uri, registered_by, client,
       settings, created_at, secrets) VALUES (?, 'shop', '', '', '', ?, ?, '{}', ${NOW}, x'00')`,
  )
  const put = (oxd_id: string, registered_by: string, client_secret_expires_at?: unknown) =>
    insert.run(oxd_id, registered_by, JSON.stringify({ client_id: 'a', client_secret_expires_at }))
  for (const [life] of lives) put(String(life), 'relyd', NOW + life)
  put('fraction', 'relyd', NOW + 2 * DAY + 0.5)
  put('for ever', 'relyd', 0)
  put('unsaid', 'relyd')
  put('garbage', 'relyd', 1e300)
  put('text', 'relyd', '7')
  put('issued', 'operator', NOW + DAY)
  runMigrations(db, 5, 6)
  const due = db.prepare<[], [string, number]>(
    'SELECT oxd_id, renew_at FROM sites WHERE renew_at IS NOT NULL ORDER BY renew_at',
  )
  const expected = [...lives, [2 * DAY, DAY / 2] as const]
    .sort(([a], [b]) => a - b)
    .map(([life, margin]) => [life === 2 * DAY ? 'fraction' : String(life), NOW + life - margin])
  expect(due.raw().all()).toEqual(expected)
  db.close()
})
