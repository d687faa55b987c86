/** A daemon and a restore that are started together: one of them waits or is refused, and the database is whole. */
import { randomInt } from 'node:crypto'
import { mkdirSync, readdirSync, readlinkSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { makeBackup } from '../../daemon/src/store/backup.js'
import { relyd } from '../support/cli.js'
import { TestDaemon } from '../support/daemon.js'
import { putSite, Stored } from '../support/stored.js'

const ROUNDS = 40

const SITES = 'SELECT oxd_id FROM sites ORDER BY oxd_id'

/** The files that a process has open as its database, by their inodes. */
function openDatabases(pid: number, database: string): number[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      const path = `/proc/${pid}/fd/${fd}`
      return readlinkSync(path).startsWith(database) && !/-(wal|shm|lock)/.test(readlinkSync(path))
        ? [statSync(path).ino]
        : []
    } catch {
      return []
    }
  })
}

test(`${ROUNDS} times at once`, { timeout: 600_000 }, async () => {
  using stored = new Stored()
  await stored.with((store) => putSite(store, 'backed-up'))
  const file = join(stored.folder, 'backups', 'one.db')
  mkdirSync(dirname(file))
  makeBackup({ ...stored, file, force: false })
  await using daemon = new TestDaemon({
    daemon: { database: stored.database, key_file: stored.key_file },
    record: false,
  })
  const outcomes = { both: 0, daemon: 0, restore: 0 }
  for (let round = 0; round < ROUNDS; round += 1) {
    await stored.with((store) => putSite(store, `later-${round}`))
    const before = stored.read(SITES)
    const restoring = setTimeout(randomInt(1500)).then(() =>
      relyd(['restore', file, '--config', daemon.config]),
    )
    const started = await setTimeout(randomInt(100)).then(() =>
      daemon.start().then(
        () => true,
        (error: Error) => {
          expect(error.message).toContain('is being replaced by `relyd restore`')
          return false
        },
      ),
    )
    const { status, stderr } = await restoring
    if (status !== 0) expect(stderr).toContain('is in use')
    if (started) {
      // The file of that name is the one that it works on.
      const { ino } = statSync(stored.database)
      expect(new Set(openDatabases(daemon.pid, stored.database))).toEqual(new Set([ino]))
      await daemon.stop()
    }
    expect(stored.read('PRAGMA integrity_check')).toEqual([['ok']])
    expect(stored.read(SITES)).toEqual(status === 0 ? [['backed-up']] : before)
    if (started && status === 0) outcomes.both += 1
    else outcomes[started ? 'daemon' : 'restore'] += 1
  }
  expect(Object.values(outcomes).filter((times) => times > 0).length).toBeGreaterThan(1)
})
