/** Writes of a turn are committed together, and fail together only if the commit does. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type Database from 'better-sqlite3'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { GroupCommit } from './group_commit.js'
import { openKept } from './kept_database.js'

let folder: string
let db: Database.Database
let other: Database.Database
let group: GroupCommit
let insert: (id: number, parent?: number) => number

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'relyd-group-'))
  const path = join(folder, 'test.db')
  db = openKept(path, { timeout: 1 })
  db.pragma('journal_mode = WAL')
  db.exec(`CREATE TABLE rows (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES rows
    DEFERRABLE INITIALLY DEFERRED, filling BLOB)`)
  other = openKept(path, { timeout: 1 })
  group = new GroupCommit(db)
  const statement = db.prepare('INSERT INTO rows (id, parent) VALUES (?, ?)')
  insert = (id, parent) => statement.run(id, parent).changes
})
afterEach(() => {
  db.close()
  other.close()
  rmSync(folder, { recursive: true })
})

function ids(): unknown[] {
  return other.prepare('SELECT id FROM rows ORDER BY id').pluck().all()
}

function outcomes(results: PromiseSettledResult<unknown>[]): unknown[] {
  return results.map((result) =>
    result.status === 'fulfilled' ? result.value : (result.reason.code ?? result.reason.message),
  )
}

function walFrames(): number {
  const [state] = other.pragma('wal_checkpoint(PASSIVE)') as [{ log: number }]
  return state.log
}

test('commits the writes of one turn together', async () => {
  const before = walFrames()
  const changes = await Promise.all(
    Array.from({ length: 200 }, (_, id) => group.run(() => insert(id))),
  )
  expect(changes).toEqual(Array(200).fill(1))
  expect(group.commits).toBe(1)
  // Apart, each of them would have written its page to the WAL anew.
  expect(walFrames() - before).toBeLessThan(10)
  expect(ids()).toHaveLength(200)
})

test('commits the writes of the next turn by themselves', async () => {
  await group.run(() => insert(1))
  await group.run(() => insert(2))
  expect(group.commits).toBe(2)
})

test('settles only after the commit', async () => {
  let seen_by_others: unknown[] | undefined
  const written = group.run(() => insert(1)).then(() => (seen_by_others = ids()))
  await Promise.resolve()
  expect(ids()).toEqual([])
  expect(seen_by_others).toBeUndefined()
  await written
  expect(seen_by_others).toEqual([1])
})

test("one job's failure is its own", async () => {
  const results = await Promise.allSettled([
    group.run(() => insert(1)),
    group.run(() => insert(1)),
    group.run(() => insert(2)),
  ])
  expect(outcomes(results)).toEqual([1, 'SQLITE_CONSTRAINT_PRIMARYKEY', 1])
  expect(ids()).toEqual([1, 2])
  expect(group.commits).toBe(1)
})

test('a job of several statements leaves nothing behind when it fails midway', async () => {
  const results = await Promise.allSettled([
    group.run(() => insert(1)),
    group.runSeveral(() => {
      insert(2)
      insert(3)
      throw new Error('midway')
    }),
    group.runSeveral(() => insert(4) + insert(5)),
  ])
  expect(outcomes(results)).toEqual([1, 'midway', 2])
  expect(ids()).toEqual([1, 4, 5])
})

test('a BEGIN that fails fails all, and the next group goes on', async () => {
  other.exec('BEGIN IMMEDIATE')
  const results = await Promise.allSettled([
    group.run(() => insert(1)),
    group.runSeveral(() => insert(2)),
  ])
  expect(outcomes(results)).toEqual(['commit_failed', 'commit_failed'])
  other.exec('ROLLBACK')
  expect(ids()).toEqual([])
  expect(group.commits).toBe(0)
  await expect(group.run(() => insert(3))).resolves.toBe(1)
})

test('a COMMIT that fails fails all, and the next group goes on', async () => {
  const results = await Promise.allSettled([
    group.run(() => insert(1)),
    group.run(() => insert(2, 99)),
  ])
  expect(outcomes(results)).toEqual(['commit_failed', 'commit_failed'])
  expect(ids()).toEqual([])
  expect(group.commits).toBe(0)
  await expect(group.run(() => insert(3))).resolves.toBe(1)
  expect(ids()).toEqual([3])
})

test('a full disk, where SQLite rolls back by itself, fails all, also the jobs after it', async () => {
  db.pragma('max_page_count = 10')
  const fill = db.prepare('INSERT INTO rows (id, filling) VALUES (?, zeroblob(100000))')
  const results = await Promise.allSettled([
    group.run(() => insert(1)),
    group.run(() => fill.run(2)),
    group.run(() => insert(3)),
  ])
  expect(outcomes(results)).toEqual(Array(3).fill('commit_failed'))
  expect(ids()).toEqual([])
})

test('flush commits at once, and only once', async () => {
  const written = group.run(() => insert(1))
  group.flush()
  expect(ids()).toEqual([1])
  await written
  await new Promise((resolve) => setImmediate(resolve))
  expect(group.commits).toBe(1)
})

test('takes nothing once the database is closed', async () => {
  db.close()
  await expect(group.run(() => 1)).rejects.toMatchObject({ name: 'StoreError', code: 'closed' })
})
