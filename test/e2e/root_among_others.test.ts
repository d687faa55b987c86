/**
 * What root does with the state of relyd's own user never costs root a file, whatever that user has laid
 * there: a journal that names another file, a link that comes and goes.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { relyd } from '../support/cli.js'
import { isRoot } from '../support/required.js'
import { putSite, Stored } from '../support/stored.js'

const UID = 1234

let stored: Stored
let config: string
/** Root's. */
let precious: string
let file: string

/** As `relyd service install` has it: the state is relyd's, the keys and the backups are root's. */
beforeEach(async () => {
  stored = new Stored()
  config = join(stored.folder, 'relyd.cfg')
  precious = join(stored.folder, 'precious')
  file = join(stored.folder, 'backups', 'one.db')
  chmodSync(stored.folder, 0o755)
  mkdirSync(dirname(file))
  writeFileSync(precious, 'precious', { mode: 0o600 })
  writeFileSync(
    config,
    `[daemon]\nstate_directory = ${stored.folder}\ndatabase = store/relyd.db\nkey_file = ${stored.key_file}\n[listener site]\naddress = unix:${join(stored.folder, 'socket')}\n`,
  )
  await stored.with((store) => putSite(store, 'shop'))
  own()
})
afterEach(() => stored[Symbol.dispose]())

const place = () => dirname(stored.database)

function own(): void {
  for (const name of ['', ...readdirSync(place())]) chownSync(join(place(), name), UID, UID)
}

function run(...args: string[]) {
  return relyd([...args, '--config', config])
}

/** As SQLite leaves it when it dies within a transaction over several databases, of which `file` knows. */
function plantJournal(database: string, names: string): void {
  const header = Buffer.alloc(512)
  header.write('d9d505f920a163d7', 'hex')
  header.writeUInt32BE(statSync(database).size / 4096, 16)
  header.writeUInt32BE(512, 20)
  header.writeUInt32BE(4096, 24)
  const name = Buffer.from(names)
  const tail = Buffer.alloc(16)
  tail.writeUInt32BE(name.length, 0)
  tail.writeUInt32BE(
    name.reduce((sum, byte) => sum + byte, 0),
    4,
  )
  tail.write('d9d505f920a163d7', 8, 'hex')
  writeFileSync(`${database}-journal`, Buffer.concat([header, Buffer.alloc(4), name, tail]))
}

describe.runIf(isRoot())('root', () => {
  test('makes a backup of its own, restores it, and leaves all that is relyd’s to relyd', async () => {
    expect(await run('backup', file)).toMatchObject({ status: 0, stderr: '' })
    expect(statSync(file)).toMatchObject({ uid: 0, gid: 0, mode: 0o100600 })
    expect(readdirSync(dirname(file))).toEqual(['one.db'])
    expect(await run('restore', '--check', file)).toMatchObject({ status: 0, stderr: '' })
    const restored = await run('restore', file, '--json')
    expect(JSON.parse(restored.stdout).rows.sites).toBe(1)
    expect(await run('key', 'add')).toMatchObject({ status: 0, stderr: '' })
    expect(statSync(stored.key_file)).toMatchObject({ uid: 0, mode: 0o100600 })
    expect((await run('key', 'list')).stdout).toMatch(/ new .* encrypts /s)
    const names = readdirSync(place())
    expect(names.filter((name) => /draft|journal/.test(name))).toEqual([])
    for (const name of names) expect(statSync(join(place(), name)).uid).toBe(UID)
    expect(stored.read('SELECT oxd_id FROM sites')).toEqual([['shop']])
  })

  test('makes the state of a new host, and says whose it is', async () => {
    await run('backup', file)
    const state = join(stored.folder, 'new', 'state')
    writeFileSync(config, readFileSync(config, 'utf8').replace('= store/', `= ${state}/store/`))
    expect((await run('restore', file)).stdout).toContain(
      `${state}/store is new, and root's: the unit gives it to its user when it starts`,
    )
    expect(statSync(join(stored.folder, 'new'))).toMatchObject({ uid: 0, mode: 0o040700 })
  })

  test('makes no backup in the folder of a third user', async () => {
    chownSync(dirname(file), 4321, 4321)
    expect(await run('backup', file)).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/belongs to user 4321; choose a folder that only root may/),
    })
    chownSync(dirname(file), UID, UID)
    expect(await run('backup', file)).toMatchObject({ status: 0 })
    expect(statSync(file).uid).toBe(UID)
  })

  test('restores nothing from the folder of a third user', async () => {
    await run('backup', file)
    chownSync(dirname(file), 4321, 4321)
    chownSync(file, 4321, 4321)
    expect(await run('restore', '--check', file)).toMatchObject({ status: 0 })
    expect(await run('restore', file)).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/belongs to user 4321, .* take a copy of .* only root may/),
    })
  })

  describe.each([
    ['the database', () => stored.database],
    ['its lock', () => `${stored.database}-lock`],
  ])('removes nothing that a journal beside %s names,', (_, beside) => {
    test.each([
      ['backup', () => ['backup', file]],
      ['restore', () => ['restore', join(stored.folder, 'earlier.db')]],
      ['key list', () => ['key', 'list']],
      ['key add', () => ['key', 'add']],
      ['doctor', () => ['doctor']],
    ])('by relyd %s', async (_, args) => {
      await run('backup', join(stored.folder, 'earlier.db'))
      if (!existsSync(`${stored.database}-lock`)) expect.unreachable()
      copyFileSync(stored.database, `${stored.database}-lock`)
      plantJournal(beside(), precious)
      own()
      const { stderr } = await run(...args())
      expect(existsSync(precious), stderr).toBe(true)
    })
  })

  test('gives no file of its own away while links come and go where it works', {
    timeout: 60_000,
  }, async () => {
    await run('backup', file)
    // Each new file becomes a link, as soon as it is seen.
    const program = `
      import { readdirSync, symlinkSync, unlinkSync } from 'node:fs'
      const [folder, precious] = process.argv.slice(1)
      console.log('ready')
      for (;;) {
        try {
          for (const name of readdirSync(folder)) {
            if (!name.includes('-draft-') || /-(journal|wal|shm)$/.test(name)) continue
            unlinkSync(folder + '/' + name)
            symlinkSync(precious, folder + '/' + name)
          }
        } catch {}
      }`
    const child = spawn(
      process.execPath,
      ['--input-type=module', '-e', program, place(), precious],
      { uid: UID, gid: UID, cwd: '/', stdio: ['ignore', 'pipe', 'inherit'] },
    )
    try {
      await once(child.stdout, 'data')
      for (let round = 0; round < 4; round += 1) {
        await run('restore', file)
        await run('backup', join(dirname(file), `${round}.db`))
        const { uid, gid, mode } = statSync(precious)
        expect([uid, gid, mode, readFileSync(precious, 'utf8')]).toEqual([
          0,
          0,
          0o100600,
          'precious',
        ])
      }
      // No backup is something else than one.
      for (const name of readdirSync(dirname(file))) {
        expect(readFileSync(join(dirname(file), name), 'latin1')).toMatch(/^SQLite format 3/)
      }
    } finally {
      const exit = once(child, 'exit')
      child.kill('SIGKILL')
      await exit
    }
  })
})
