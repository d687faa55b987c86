/**
 * What root does with the state of relyd's own user never costs root a file, whatever that user has laid there: a
 * journal that names another file, a link that comes and goes.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Ended, relyd } from '../support/cli.js'
import { isRoot } from '../support/required.js'
import { putSite, Stored } from '../support/stored.js'

const UID = 1234

const hasStrace = spawnSync('strace', ['-V']).status === 0

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

const lock = () => `${stored.database}-lock`
const earlier = () => join(dirname(file), 'earlier.db')

/** Waits after each file that is removed, as SQLite's journals are, so that others are certainly faster. */
const SLOWLY = [
  'strace',
  '-f',
  '-qqq',
  ...['-o', '/dev/null'],
  ...['-e', 'trace=unlink'],
  ...['-e', 'inject=unlink:delay_exit=200000'],
]

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

  test('does not serve there', async () => {
    const { status, stderr } = await run('serve')
    expect(stderr).toMatch(/belongs to user 1234, and root shall not work in it: run the daemon as/)
    expect(status).toBe(1)
  })

  test('without the right to act for others says so', async () => {
    const weak = ['setpriv', '--bounding-set', '-setuid']
    const { status, stderr } = await relyd(['key', 'list', '--config', config], {}, weak)
    expect(stderr).toMatch(/^relyd: root may not act here as user 1234, .*run this as that user\n$/)
    expect(status).toBe(1)
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

  test.each<[string, string, () => string, string?]>([
    ['backup', 'the database', () => stored.database, 'one.db'],
    ['restore', 'the database', () => stored.database, 'earlier.db'],
    ['restore', 'its lock', lock, 'earlier.db'],
    ['key list', 'the database', () => stored.database],
    ['key add', 'its lock', lock],
  ])(
    'removes nothing by relyd %s that a journal beside %s names',
    async (command, _, beside, name) => {
      await run('backup', earlier())
      // Empty, its journal would not count.
      copyFileSync(stored.database, lock())
      plantJournal(beside(), precious)
      own()
      const paths = name === undefined ? [] : [join(dirname(file), name)]
      const { status, stderr } = await run(...command.split(' '), ...paths)
      expect(readFileSync(precious, 'utf8')).toBe('precious')
      // That user cannot remove it either, and SQLite does not go on without.
      expect(stderr).toMatch(/^relyd: Cannot .*\(as user 1234, to whom .*store belongs\)$/m)
      expect(status).toBe(1)
    },
  )

  test.skipIf(!hasStrace)(
    'gives no file of its own away while links come and go where it works',
    async () => {
      await run('backup', earlier())
      // What SQLite is done with becomes a link, before anything else can be done to it.
      const program = `
      import { existsSync, readdirSync, symlinkSync, unlinkSync } from 'node:fs'
      const [folder, precious] = process.argv.slice(1)
      const done = new Map()
      console.log('ready')
      for (;;) {
        const journal = readdirSync(folder).find((name) => /-draft-.*-journal$/.test(name))
        if (!journal) continue
        const draft = folder + '/' + journal.slice(0, -8)
        while (existsSync(draft + '-journal'));
        done.set(draft, (done.get(draft) ?? 0) + 1)
        // The second one is of the draft of a restore: SQLite has put it into WAL mode.
        if (done.get(draft) < 2 && !draft.includes('-backup-')) continue
        try {
          unlinkSync(draft)
          symlinkSync(precious, draft)
        } catch {}
      }`
      const child = spawn(
        process.execPath,
        ['--input-type=module', '-e', program, place(), precious],
        { uid: UID, gid: UID, cwd: '/', stdio: ['ignore', 'pipe', 'inherit'] },
      )
      try {
        await once(child.stdout, 'data')
        for (const args of [
          ['restore', earlier()],
          ['backup', file],
        ]) {
          let ended: Ended
          let attempts = 0
          // On a busy machine the link comes too late now and then.
          do {
            rmSync(file, { force: true })
            ended = await relyd([...args, '--config', config], {}, SLOWLY)
            const { uid, gid, mode } = statSync(precious)
            expect([uid, gid, mode & 0o777]).toEqual([0, 0, 0o600])
            attempts += 1
          } while (ended.status === 0 && attempts < 5)
          expect(ended).toMatchObject({ status: 1, stderr: expect.stringMatching(/^relyd: /) })
        }
        expect(readFileSync(precious, 'utf8')).toBe('precious')
        expect(readdirSync(dirname(file))).toEqual(['earlier.db'])
      } finally {
        const exit = once(child, 'exit')
        child.kill('SIGKILL')
        await exit
      }
    },
    90_000,
  )
})
