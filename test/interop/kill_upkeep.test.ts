/**
 * Killed at any change of the disk during a backup, a restore or an upgrade, relyd loses nothing, and the
 * next try works. strace kills it as it enters the n-th call of a kind: the same place on any machine.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeBackup } from '../../daemon/src/store/backup.js'
import { SCHEMA_VERSION } from '../../daemon/src/store/migrations/migrate.js'
import { checkBackup, restore } from '../../daemon/src/store/restore.js'
import { hasStrace } from '../support/required.js'
import { putSite, Stored } from '../support/stored.js'

const PROGRAM = fileURLToPath(new URL('../../daemon/dist/main.js', import.meta.url))

/** What changes a file, or the names of one. */
const CALLS = ['pwrite64', 'fsync', 'fdatasync', 'ftruncate', 'link', 'rename', 'unlink', 'chmod']
/** More than any of them happens. */
const MOST = 1000

const SITES = 'SELECT oxd_id FROM sites ORDER BY oxd_id'

let template: Stored

beforeAll(() => {
  template = new Stored()
})
afterAll(() => template[Symbol.dispose]())

/** A copy of the template for one kill, with a configuration. */
class Place extends Stored {
  readonly config = join(this.folder, 'relyd.cfg')
  readonly backup = join(this.folder, 'backups', 'one.db')

  constructor() {
    super()
    cpSync(template.folder, this.folder, { recursive: true })
    writeFileSync(
      this.config,
      `[daemon]\nstate_directory = ${this.folder}\ndatabase = store/relyd.db\n[listener site]\naddress = unix:${join(this.folder, 'socket')}\n`,
    )
    mkdirSync(dirname(this.backup), { recursive: true })
  }

  get drafts(): string[] {
    const folders = [dirname(this.database), dirname(this.backup)]
    return folders.flatMap((folder) => readdirSync(folder)).filter((one) => one.includes('-draft-'))
  }
}

/** @returns whether it was killed; otherwise it came to its end, or was ready and was told to stop */
async function killedAt(place: Place, args: string[], call: string, n: number): Promise<boolean> {
  const inject = `inject=${call}:signal=SIGKILL:when=${n}`
  const child = spawn(
    'strace',
    ['-f', '-qqq', '-o', '/dev/null', '-e', `trace=${call}`, '-e', inject, process.execPath].concat(
      PROGRAM,
      args,
      '--config',
      place.config,
    ),
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  let ready = false
  createInterface(child.stdout).on('line', (line) => {
    if (!line.includes('"msg":"ready"')) return
    ready = true
    process.kill(JSON.parse(line).pid, 'SIGTERM')
  })
  const [code, signal] = await once(child, 'close')
  if (signal === 'SIGKILL' || code === 137) return !ready
  expect([code, said]).toEqual([0, ''])
  return false
}

/** Kills at each call of each kind in turn. @returns how often */
async function killEverywhere(
  args: (place: Place) => string[],
  examine: (place: Place) => Promise<void>,
): Promise<number> {
  let kills = 0
  for (const call of CALLS) {
    for (let n = 1; n <= MOST; n += 1) {
      using place = new Place()
      if (!(await killedAt(place, args(place), call, n))) break
      kills += 1
      await examine(place)
    }
  }
  return kills
}

describe.skipIf(!hasStrace())('a kill', { timeout: 600_000 }, () => {
  test('during a backup leaves a whole one or none, and the database as it was', async () => {
    await refill((stored) => stored.with((store) => putSite(store, 'shop')))
    const kills = await killEverywhere(
      ({ backup }) => ['backup', backup],
      async (place) => {
        if (existsSync(place.backup)) {
          expect(checkBackup({ ...place, file: place.backup }).rows.sites).toBe(1)
        }
        await place.with((store) => putSite(store, 'after'))
        const again = makeBackup({ ...place, file: place.backup, force: true })
        expect(again.rows.sites).toBe(2)
      },
    )
    expect(kills).toBeGreaterThan(40)
  })

  test('during a restore leaves the database of before or the backup', async () => {
    await refill(async (stored) => {
      await stored.with((store) => putSite(store, 'backed-up'))
      mkdirSync(join(stored.folder, 'backups'))
      const file = join(stored.folder, 'backups', 'one.db')
      makeBackup({ ...stored, file, force: false })
      await stored.with((store) => putSite(store, 'later'))
    })
    const before = [['backed-up'], ['later']]
    const seen = new Set<number>()
    const kills = await killEverywhere(
      ({ backup }) => ['restore', backup],
      async (place) => {
        const sites = await place.with(async () => place.read(SITES))
        expect([before, [['backed-up']]]).toContainEqual(sites)
        seen.add(sites.length)
        expect(place.read('PRAGMA integrity_check')).toEqual([['ok']])
        if (sites.length === 1) expect(keptSites(place)).toEqual([before])
        restore({ ...place, file: place.backup, now: new Date('2030-01-01') })
        expect(place.read(SITES)).toEqual([['backed-up']])
        expect(place.drafts).toEqual([])
      },
    )
    expect(kills).toBeGreaterThan(40)
    expect([...seen].sort()).toEqual([1, 2])
  })

  test('during an upgrade leaves the schema of before, or the new one and a copy', async () => {
    await refill(async (stored) => stored.makeAtSchema(SCHEMA_VERSION - 1, 'shop'))
    const seen = new Set<number>()
    const kills = await killEverywhere(
      () => ['serve'],
      async (place) => {
        const [[found]] = place.read('SELECT max(version) FROM migrations') as [[number]]
        seen.add(found)
        const copy = `${place.database}.schema-${SCHEMA_VERSION - 1}`
        if (existsSync(copy)) expect(checkBackup({ ...place, file: copy }).rows.sites).toBe(1)
        else expect(found).toBe(SCHEMA_VERSION - 1)
        await place.with(async (store) => {
          const site = await store.getSite('shop', 'default')
          expect(site?.secrets.client_secret).toBe('of before')
        })
        expect(checkBackup({ ...place, file: copy }).schema).toBe(SCHEMA_VERSION - 1)
        expect(place.drafts).toEqual([])
      },
    )
    expect(kills).toBeGreaterThan(40)
    expect([...seen].sort()).toEqual([SCHEMA_VERSION - 1, SCHEMA_VERSION])
  })
})

async function refill(work: (stored: Stored) => Promise<unknown>): Promise<void> {
  rmSync(template.folder, { recursive: true })
  mkdirSync(template.folder)
  await work(template)
}

/** The sites in each database that a restore has kept, but for a second name of the present one. */
function keptSites(place: Place): unknown[] {
  const folder = dirname(place.database)
  const { ino } = statSync(place.database)
  return readdirSync(folder)
    .filter((name) => name.includes('.before-restore-') && !/-(wal|shm|journal)$/.test(name))
    .filter((name) => statSync(join(folder, name)).ino !== ino)
    .map((name) => place.read(SITES, join(folder, name)))
}
