/** `relyd key`, as an operator meets it: what it does to the file and the database, and what it refuses. */
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeExpiringId } from '../../daemon/src/store/expiring_id.js'
import { openKept } from '../../daemon/src/store/kept_database.js'
import { addKey } from '../../daemon/src/store/key_admin.js'
import { openStore } from '../../daemon/src/store/open.js'
import { relyd } from '../support/cli.js'
import { canMount, isRoot } from '../support/required.js'

let folder: string
let config: string
let database: string
let key_file: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'relyd-keys-'))
  config = join(folder, 'relyd.cfg')
  database = join(folder, 'state/store/relyd.db')
  key_file = join(folder, 'state/keys/store.key')
  writeFileSync(
    config,
    `[daemon]\nstate_directory = ${folder}/state\n[listener a]\naddress = unix:${folder}/s\n`,
  )
})
afterEach(() => rmSync(folder, { recursive: true }))

async function key(...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await relyd(['key', ...args, '-c', config])
  expect(stderr).toBe('')
  expect(status).toBe(0)
  expect(stdout).not.toMatch(/[\w-]{43}/)
  return stdout
}

async function refusal(...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await relyd(['key', ...args, '-c', config])
  expect(stdout).toBe('')
  expect(status).toBe(1)
  expect(stderr).toMatch(/^relyd: .*\n$/)
  expect(stderr).not.toMatch(/[\w-]{43}/)
  return stderr
}

interface Listed {
  key_id: string
  state: string
  since: number | null
  rows: { sites: number; logins: number; sessions: number }
}

async function list(): Promise<Listed[]> {
  return JSON.parse(await key('list', '--json')).keys
}

/** What a daemon's start does to keys and database, in a moment. */
async function startOnce({ sessions = 0, reseal = false, at = 1_800_000_000 } = {}): Promise<void> {
  const { store } = await openStore({ database, key_file, clock: () => at })
  for (let count = 0; count < sessions; count += 1) {
    await store.putSession({
      session_id: makeExpiringId(4_000_000_000),
      oxd_id: 'site',
      issuer: 'https://op.example',
      sub: 'sub',
      sid: null,
      acr: null,
      amr: null,
      auth_time: null,
      created_at: at,
      access_token_hash: Buffer.alloc(32),
      secrets: { access_token: 'at', id_token: 'it', id_token_claims: {} },
    })
  }
  if (reseal) await store.resealer.run(() => false)
  await store.close()
}

const LONG_AGO = 1_700_000_000

/** A database whose sessions are under the old key, and a newer key that was adopted long ago. */
async function rotated({ reseal }: { reseal: boolean }): Promise<{ old: string; young: string }> {
  await startOnce({ sessions: 2, at: LONG_AGO })
  addKey({ database, key_file })
  await startOnce({ reseal, at: LONG_AGO + 1 })
  const [young, old] = keyIds() as [string, string]
  return { old, young }
}

function keyIds(): (string | undefined)[] {
  return readFileSync(key_file, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(' ')[0])
}

function modeOf(path: string): number {
  return statSync(path).mode & 0o777
}

describe('before the first start', () => {
  test('list says that there is no key, and makes nothing', async () => {
    expect(await key('list')).toContain('There is no key yet')
    expect(await list()).toEqual([])
    expect(existsSync(join(folder, 'state'))).toBe(false)
  })

  test('add makes the file where it is told, private, and the daemon starts with it', async () => {
    const elsewhere = join(folder, 'etc/relyd/store.key')
    const told = await key('add', '--key-file', elsewhere)
    expect(told).toContain(`Made ${elsewhere} with the key `)
    expect(told).toMatch(/Back the file up/)
    expect([elsewhere, dirname(elsewhere)].map(modeOf)).toEqual([0o600, 0o700])
    expect(existsSync(join(folder, 'state'))).toBe(false)
    key_file = elsewhere
    await startOnce()
    expect(told).toContain(keyIds()[0])
  })

  test('retire has nothing to retire', async () => {
    expect(await refusal('retire', 'any')).toContain(`There is no key file ${key_file}`)
  })
})

describe('list', () => {
  test('shows what encrypts, since when, and how many rows are under each key', async () => {
    const { old, young } = await rotated({ reseal: false })
    const none = { sites: 0, logins: 0, sessions: 0 }
    expect(await list()).toEqual([
      { key_id: young, state: 'encrypts', since: LONG_AGO + 1, rows: none },
      { key_id: old, state: 'decrypts', since: LONG_AGO, rows: { ...none, sessions: 2 } },
    ])
    expect((await key('list')).split('\n').slice(3, 6)).toEqual([
      'KEY       STATE     SINCE                 SITES  LOGINS  SESSIONS',
      `${young}  encrypts  2023-11-14 22:13 UTC      0       0         0`,
      `${old}  decrypts  2023-11-14 22:13 UTC      0       0         2`,
    ])
  })

  test('shows a key that nobody adopted yet as new, while the one before encrypts', async () => {
    await startOnce()
    await key('add')
    expect((await list()).map(({ state }) => state)).toEqual(['new', 'encrypts'])
    expect(await key('list')).toContain('new: no daemon encrypts with it yet.')
  })

  test('shows keys that the file lacks as missing', async () => {
    await startOnce({ sessions: 1 })
    const [lost] = keyIds()
    rmSync(key_file)
    expect(await list()).toEqual([expect.objectContaining({ key_id: lost, state: 'missing' })])
    expect(await key('list')).toMatch(/missing: .*\n.*--key-file/)
  })
})

describe('add', () => {
  test('puts the key first and keeps the rest of the file, its mode and a link to it', async () => {
    mkdirSync(dirname(key_file), { recursive: true })
    const text = `# mine\n\n# of 2025\na ${Buffer.alloc(32).toString('base64url')}`
    writeFileSync(join(folder, 'real.key'), text, { mode: 0o600 })
    symlinkSync(join(folder, 'real.key'), key_file)
    const told = await key('add')
    const [added] = keyIds()
    expect(told).toContain(`Added the key ${added} to ${key_file}`)
    expect(told).toContain('A running daemon encrypts with it within seconds')
    const lines = readFileSync(join(folder, 'real.key'), 'utf8').split('\n')
    expect(lines.map((line) => line.replace(/ [\w-]{43}$/, ' KEY'))).toEqual([
      '# mine',
      '',
      '# of 2025',
      `${added} KEY`,
      'a KEY',
      '',
    ])
    expect(modeOf(join(folder, 'real.key'))).toBe(0o600)
    expect(readdirSync(folder).sort()).toEqual(['real.key', 'relyd.cfg', 'state'])
  })

  test.skipIf(!isRoot())('by root leaves files to their owner', async () => {
    await startOnce()
    const owner = 12_345
    for (const path of [key_file, database]) chownSync(path, owner, owner)
    // A connection that stays open keeps the log and its index there.
    const db = openKept(database)
    db.prepare('SELECT 1 FROM sites').get()
    await key('add')
    await key('list')
    const files = [key_file, database, `${database}-wal`, `${database}-shm`]
    expect(files.map((path) => statSync(path).uid)).toEqual(Array(4).fill(owner))
    expect(files.map(modeOf)).toEqual(Array(4).fill(0o600))
    db.close()
  })

  test.each<[string, () => void, RegExp]>([
    ['a lost key file', () => rmSync(key_file), /encrypted with .*there is no key file .*restore/],
    [
      'a file without a key that the database needs',
      () => writeFileSync(key_file, `other ${Buffer.alloc(32).toString('base64url')}\n`),
      /encrypted with .*does not hold that key; restore/,
    ],
    [
      'another key of the same name',
      () => writeFileSync(key_file, `${keyIds()[0]} ${Buffer.alloc(32).toString('base64url')}\n`),
      /is not the key of that name/,
    ],
    ['a file open to others', () => chmodSync(key_file, 0o644), /chmod 600/],
    ['a malformed file', () => writeFileSync(key_file, 'a b\n'), /line 1 must be KEYID/],
    [
      "another program's database",
      () => {
        for (const end of ['', '-wal', '-shm']) rmSync(database + end, { force: true })
        openKept(database).exec('CREATE TABLE theirs (id)').close()
      },
      /database of another program/,
    ],
    [
      'a database of a newer relyd',
      () => openKept(database).exec('INSERT INTO migrations VALUES (99)').close(),
      /schema version 99/,
    ],
    [
      'a database of an older relyd',
      () => openKept(database).exec('DELETE FROM migrations WHERE version > 1').close(),
      /schema version 1, .*start its daemon once/,
    ],
  ])('refuses %s, and leaves the file as it is', async (_, spoil, words) => {
    await startOnce()
    spoil()
    const before = existsSync(key_file) && readFileSync(key_file)
    expect(await refusal('add')).toMatch(words)
    expect(existsSync(key_file) && readFileSync(key_file)).toEqual(before)
  })

  test("refuses a file in the database's folder, and among a unit's credentials", async () => {
    expect(await refusal('add', '--key-file', join(dirname(database), 'key'))).toMatch(
      /lies in the database's folder/,
    )
    const credentials = join(folder, 'credentials')
    mkdirSync(credentials)
    for (const there of [false, true]) {
      if (there) {
        const line = `a ${Buffer.alloc(32).toString('base64url')}\n`
        writeFileSync(join(credentials, 'store.key'), line, { mode: 0o600 })
      }
      const args = ['key', 'add', '-c', config, '--key-file', join(credentials, 'store.key')]
      const { status, stderr } = await relyd(args, { CREDENTIALS_DIRECTORY: credentials })
      expect(stderr).toMatch(/LoadCredential=.*relyd key add --key-file FILE/)
      expect(status).toBe(1)
      expect(readdirSync(credentials)).toEqual(there ? ['store.key'] : [])
    }
  })
})

describe('retire', () => {
  test('removes a key that nothing needs from the database and from the file', async () => {
    const { old, young } = await rotated({ reseal: true })
    const told = await key('retire', old)
    expect(told).toContain(`Retired the key ${old}`)
    expect(told).toMatch(/backups/)
    expect(keyIds()).toEqual([young])
    expect(readFileSync(key_file, 'utf8')).toMatch(/^# Encryption keys of relyd/)
    expect((await list()).map(({ key_id }) => key_id)).toEqual([young])
    expect(await refusal('retire', old)).toContain('There is no key')
  })

  test('goes on where it was cut short between the two', async () => {
    const { old, young } = await rotated({ reseal: true })
    openKept(database).exec(`DELETE FROM encryption_keys WHERE key_id = '${old}'`).close()
    await key('retire', old)
    expect(keyIds()).toEqual([young])
  })

  test('forgets a key that is in the database only, when nothing needs it', async () => {
    const { old, young } = await rotated({ reseal: true })
    const lines = readFileSync(key_file, 'utf8').split('\n')
    writeFileSync(key_file, lines.filter((line) => !line.startsWith(old)).join('\n'))
    expect((await list()).map(({ state }) => state)).toEqual(['encrypts', 'missing'])
    await key('retire', old)
    expect((await list()).map(({ key_id }) => key_id)).toEqual([young])
  })

  test('refuses while rows are encrypted with the key, and counts them', async () => {
    const { old, young } = await rotated({ reseal: false })
    expect(await refusal('retire', old)).toMatch(
      new RegExp(`The key ${old} still encrypts 2 sessions; a running daemon re-encrypts them`),
    )
    expect(keyIds()).toEqual([young, old])
    expect(await list()).toHaveLength(2)
  })

  test('refuses the key that encrypts, and one that does not exist', async () => {
    const { young } = await rotated({ reseal: true })
    expect(await refusal('retire', young)).toContain(
      `The key ${young} encrypts; put another in its place first: relyd key add`,
    )
    expect(await refusal('retire', '\x1b[2J')).toMatch(/There is no key "\\u001b\[2J"/)
  })

  test('refuses until a daemon has adopted the next key, and a minute after', async () => {
    await startOnce({ at: LONG_AGO })
    await key('add')
    const [young, old] = keyIds() as [string, string]
    expect(await refusal('retire', old)).toContain(`No daemon has adopted the key ${young}`)
    await startOnce({ at: Math.floor(Date.now() / 1000) })
    expect(await refusal('retire', old)).toMatch(/less than 60 seconds ago.*try again in \d+ sec/)
    expect(keyIds()).toEqual([young, old])
  })

  test('refuses to work with a file that is not the one of the database', async () => {
    const { old } = await rotated({ reseal: true })
    const other = join(folder, 'other.key')
    writeFileSync(other, `x ${Buffer.alloc(32).toString('base64url')}\n`, { mode: 0o600 })
    expect(await refusal('retire', old, '--key-file', other)).toMatch(/encrypted with/)
  })
})

test.skipIf(!canMount()).each([
  ['backup', 'one.db'],
  ['restore', '--check', 'one.db'],
  ['key', 'list'],
])('what %s may not read is told in a line that says sudo', async (...args) => {
  await startOnce()
  chmodSync(join(folder, 'state'), 0o000)
  // Somebody who is not root, whoever runs the test.
  const somebody = ['unshare', '--user', '--map-user=1000']
  const { status, stdout, stderr } = await relyd([...args, '-c', config], {}, somebody)
  chmodSync(join(folder, 'state'), 0o700)
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
  expect(stderr).toMatch(/^relyd: .*EACCES.*; run this with sudo\n$/)
})
