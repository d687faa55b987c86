/** Keys are lost, wrong, changed and killed over, with daemons at work; no secret is lost or shown. */
import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeExpiringId } from '../../daemon/src/store/expiring_id.js'
import { openKept } from '../../daemon/src/store/kept_database.js'
import { openStore } from '../../daemon/src/store/open.js'
import { type RowCounts, rowsByKey } from '../../daemon/src/store/sealed_tables.js'
import { type Op, startOp } from '../../demosite/src/op.js'
import { relyd } from '../support/cli.js'
import { type LogLine, TestDaemon } from '../support/daemon.js'
import { EndUser } from '../support/end_user.js'
import { declined, redirect_uri, registerIssued } from '../support/site.js'
import { Wire } from '../support/wire.js'

const ADOPTED = 'keys of the changed key file adopted; the first encrypts'

let op: Op

beforeAll(async () => {
  op = await startOp()
})
afterAll(() => op.close())

function databaseOf(daemon: TestDaemon): string {
  return join(daemon.folder, 'state/store/relyd.db')
}

function keyFileOf(daemon: TestDaemon): string {
  return join(daemon.folder, 'state/keys/store.key')
}

function rowsOf(daemon: TestDaemon): Map<string, RowCounts> {
  const db = openKept(databaseOf(daemon), { readonly: true })
  try {
    return rowsByKey(db)
  } finally {
    db.close()
  }
}

function execute(daemon: TestDaemon, sql: string): void {
  openKept(databaseOf(daemon)).exec(sql).close()
}

async function key(daemon: TestDaemon, ...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await relyd(['key', ...args, '-c', daemon.config])
  expect(stderr).toBe('')
  expect(status).toBe(0)
  return stdout
}

function keyIds(daemon: TestDaemon): string[] {
  return readFileSync(keyFileOf(daemon), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(' ')[0] as string)
}

async function logged(daemon: TestDaemon, wanted: Partial<LogLine>, times = 1): Promise<void> {
  const found = () => daemon.log.filter((line) => matches(line, wanted)).length
  await expect.poll(found, { timeout: 10_000, interval: 20 }).toBeGreaterThanOrEqual(times)
}

function matches(line: LogLine, wanted: Partial<LogLine>): boolean {
  return Object.entries(wanted).every(([name, value]) => line[name] === value)
}

async function logIn(wire: Wire): Promise<{ oxd_id: string; session_id: string }> {
  const { oxd_id } = await wire.ok('register_site', {
    op_host: op.issuer,
    authorization_redirect_uri: redirect_uri,
  })
  const { authorization_url, binding } = await wire.ok('get_authorization_url', { oxd_id })
  const callback = await new EndUser().logIn(authorization_url)
  const { session_id } = await wire.ok('get_tokens_by_callback', { oxd_id, callback, binding })
  return { oxd_id, session_id }
}

describe('a store whose key is', () => {
  test('lost, or another, is not opened, and opens again with its own', async () => {
    await using daemon = await TestDaemon.start()
    using wire = await Wire.connect(daemon.socket)
    const oxd_id = await registerIssued(wire, op)
    await daemon.stop()
    const own = readFileSync(keyFileOf(daemon))
    const [key_id] = keyIds(daemon)

    rmSync(keyFileOf(daemon))
    await expect(daemon.start()).rejects.toThrow(
      `relyd: ${databaseOf(daemon)} is encrypted with ${key_id}, and there is no key file ${keyFileOf(daemon)}; restore the key file from its backup`,
    )
    const other = Buffer.alloc(32).toString('base64url')
    writeFileSync(keyFileOf(daemon), `${key_id} ${other}\n`, { mode: 0o600 })
    await expect(daemon.start()).rejects.toThrow(`The key ${key_id} in ${keyFileOf(daemon)} is not`)
    writeFileSync(keyFileOf(daemon), `another ${other}\n`)
    await expect(daemon.start()).rejects.toThrow('does not hold that key')

    writeFileSync(keyFileOf(daemon), own)
    await daemon.start()
    using again = await Wire.connect(daemon.socket)
    expect(await again.ok('get_site', { oxd_id })).toMatchObject({ client_id: 'issued' })
  })

  test('elsewhere, because the store was copied, gives nothing away', async () => {
    await using daemon = await TestDaemon.start()
    const wire = await Wire.connect(daemon.socket)
    await logIn(wire)
    await registerIssued(wire, op)
    wire[Symbol.dispose]()
    await daemon.stop()
    await using thief = new TestDaemon()
    cpSync(join(daemon.folder, 'state/store'), join(thief.folder, 'state/store'), {
      recursive: true,
    })
    await expect(thief.start()).rejects.toThrow(/is encrypted with/)
    const bytes = readdirSync(join(thief.folder, 'state/store')).map((name) =>
      readFileSync(join(thief.folder, 'state/store', name), 'latin1'),
    )
    expect(bytes.join()).toContain(redirect_uri)
    // A client_secret, and the beginning that every JWT has.
    expect(bytes.join()).not.toContain('a secret that nobody uses')
    expect(bytes.join()).not.toContain('eyJ')
  })
})

const CONNECTIONS = 2
const IN_FLIGHT = 16

/** Begins logins at one daemon and completes them at the other, until told to stop. */
async function load(daemons: TestDaemon[], oxd_id: string, ended: () => boolean): Promise<number> {
  const wires = await Promise.all(
    daemons.flatMap(({ socket }) =>
      Array.from({ length: CONNECTIONS }, () => Wire.connect(socket, 'msgpack')),
    ),
  )
  let completed = 0
  try {
    const work = Array.from({ length: IN_FLIGHT }, async (_, worker) => {
      while (!ended()) {
        const begins = wires[worker % wires.length] as Wire
        const completes = wires[(worker + CONNECTIONS) % wires.length] as Wire
        const { state, binding } = await begins.ok('get_authorization_url', { oxd_id })
        const callback = declined(op, state)
        const { error } = await completes.refused('get_tokens_by_callback', {
          oxd_id,
          callback,
          binding,
        })
        expect(error).toBe('op_error')
        completed += 1
      }
    })
    await Promise.all(work)
  } finally {
    for (const wire of wires) wire[Symbol.dispose]()
  }
  return completed
}

test('keys are changed twice and retired under load, with two daemons on one store', async () => {
  await using daemon = await TestDaemon.start({ record: false })
  await using second = await TestDaemon.start({
    record: false,
    daemon: { database: databaseOf(daemon), key_file: keyFileOf(daemon) },
  })
  const daemons = [daemon, second]
  using wire = await Wire.connect(daemon.socket)
  const logins = [await logIn(wire)]
  const busy = await registerIssued(wire, op)
  let ended = false
  const loaded = load(daemons, busy, () => ended)
  loaded.catch(() => {})

  const rotations = 2
  for (let rotation = 1; rotation <= rotations; rotation += 1) {
    await key(daemon, 'add')
    const [newest] = keyIds(daemon)
    for (const one of daemons) await logged(one, { msg: 're-encryption done', key_id: newest })
    logins.push(await logIn(wire))
  }
  const [newest, ...old] = keyIds(daemon) as [string, ...string[]]
  expect(old).toHaveLength(rotations)
  execute(daemon, 'UPDATE encryption_keys SET recorded_at = recorded_at - 60')
  for (const key_id of old) await key(daemon, 'retire', key_id)
  for (const one of daemons) await logged(one, { msg: ADOPTED }, rotations + 1)
  expect(keyIds(daemon)).toEqual([newest])

  ended = true
  expect(await loaded).toBeGreaterThan(100)
  for (const one of daemons) {
    expect(one.log.filter(({ level }) => level >= 50)).toEqual([])
    await one.signal('SIGKILL')
    await one.start()
  }
  using again = await Wire.connect(daemon.socket)
  using there = await Wire.connect(second.socket)
  for (const login of logins) {
    for (const one of [again, there]) {
      expect((await one.ok('get_user_info', login)).claims.sub).toBe('alice')
    }
  }
  expect([...rowsOf(daemon).keys()]).toEqual([newest])
  const log = JSON.stringify(daemon.log)
  expect(log).not.toContain(readFileSync(keyFileOf(daemon), 'utf8').match(/[\w-]{43}/)?.[0])
}, 60_000)

const SESSIONS = 2000

test('a daemon that is killed while it re-encrypts goes on after its restart', async () => {
  await using daemon = new TestDaemon()
  const options = { database: databaseOf(daemon), key_file: keyFileOf(daemon) }
  const expires_at = Math.floor(Date.now() / 1000) + 600
  const session_ids = Array.from({ length: SESSIONS }, () => makeExpiringId(expires_at))
  {
    const { store } = await openStore(options)
    await Promise.all(
      session_ids.map((session_id) =>
        store.putSession({
          session_id,
          oxd_id: 'site',
          issuer: op.issuer,
          sub: 'sub',
          sid: null,
          acr: null,
          amr: null,
          auth_time: null,
          created_at: expires_at,
          access_token_hash: Buffer.alloc(32),
          secrets: { access_token: `of ${session_id}`, id_token: 'it', id_token_claims: {} },
        }),
      ),
    )
    await store.close()
  }
  await key(daemon, 'add')
  const [young, old] = keyIds(daemon) as [string, string]
  slowUpdates(daemon)
  await daemon.start()
  await expect.poll(() => rowsOf(daemon).get(young)?.sessions ?? 0, { interval: 1 }).not.toBe(0)
  await daemon.signal('SIGKILL')
  const left = rowsOf(daemon).get(old)?.sessions ?? 0
  expect(left).toBeGreaterThan(0)
  expect(left + (rowsOf(daemon).get(young)?.sessions ?? 0)).toBe(SESSIONS)

  execute(daemon, 'DROP TRIGGER slow')
  await daemon.start()
  await logged(daemon, { msg: 're-encryption done', sessions: left })
  expect([...rowsOf(daemon).keys()]).toEqual([young])
  await daemon.stop()
  const { store } = await openStore(options)
  for (const session_id of session_ids) {
    const session = await store.getSession(session_id, 'site', expires_at)
    expect(session?.secrets.access_token).toBe(`of ${session_id}`)
  }
  await store.close()
})

/** Gives each row some milliseconds, so that the kill comes in the middle on any machine. */
function slowUpdates(daemon: TestDaemon): void {
  const rows = '(SELECT 1 FROM sessions LIMIT 300)'
  execute(
    daemon,
    `CREATE TRIGGER slow BEFORE UPDATE ON sessions BEGIN SELECT count(*) FROM ${rows}, ${rows}; END`,
  )
}

test('a running daemon refuses a broken key file, says what to do, and serves on', async () => {
  await using daemon = await TestDaemon.start()
  using wire = await Wire.connect(daemon.socket)
  const login = await logIn(wire)
  const [first] = keyIds(daemon)
  const refused = 'the key file is not adopted; going on with the keys that were read before'
  renameSync(keyFileOf(daemon), `${keyFileOf(daemon)}.backup`)
  writeFileSync(keyFileOf(daemon), 'not a key\n', { mode: 0o600 })
  await logged(daemon, { level: 50, msg: refused })
  expect(String(daemon.log.find(({ msg }) => msg === refused)?.['error'])).toContain('line 1 must')
  expect((await wire.ok('get_user_info', login)).claims.sub).toBe('alice')
  await logIn(wire)

  renameSync(`${keyFileOf(daemon)}.backup`, keyFileOf(daemon))
  await logged(daemon, { msg: ADOPTED })
  expect([...rowsOf(daemon).keys()]).toEqual([first])
})

describe('a key that comes as a credential', () => {
  test('is used, left alone, and changed by a restart', async () => {
    const credentials = mkdtempSync(join(tmpdir(), 'relyd-credentials-'))
    const credential = join(credentials, 'store.key')
    const deliver = () => cpSync(source, credential)
    await using daemon = new TestDaemon({ env: { CREDENTIALS_DIRECTORY: credentials } })
    const source = join(daemon.folder, 'etc/store.key')
    try {
      await key(daemon, 'add', '--key-file', source)
      deliver()
      await daemon.start()
      expect(daemon.log.find(({ msg }) => msg === 'store open')?.['encryption']).toMatchObject({
        made: false,
      })
      expect(readdirSync(credentials)).toEqual(['store.key'])
      expect(readdirSync(join(daemon.folder, 'state'))).toEqual(['store'])
      const wire = await Wire.connect(daemon.socket)
      const login = await logIn(wire)
      wire[Symbol.dispose]()

      await key(daemon, 'add', '--key-file', source)
      await daemon.stop()
      deliver()
      await daemon.start()
      await logged(daemon, { msg: 're-encryption done' })
      using again = await Wire.connect(daemon.socket)
      expect((await again.ok('get_user_info', login)).claims.sub).toBe('alice')
      expect(rowsOf(daemon).size).toBe(1)
      await daemon.stop()

      writeFileSync(credential, `x ${Buffer.alloc(32).toString('base64url')}\n`)
      await expect(daemon.start()).rejects.toThrow(
        'restore the file that LoadCredential= names from its backup, and restart the unit',
      )
    } finally {
      rmSync(credentials, { recursive: true })
    }
  })

  test('and is not there, is not made, and how to make it is said', async () => {
    const credentials = mkdtempSync(join(tmpdir(), 'relyd-credentials-'))
    try {
      await using daemon = new TestDaemon({
        daemon: { key_file: join(credentials, 'store.key') },
        env: { CREDENTIALS_DIRECTORY: credentials },
      })
      await expect(daemon.start()).rejects.toThrow(
        /is not among the credentials: .*LoadCredential=.*`relyd key add --key-file FILE`/,
      )
      expect(readdirSync(credentials)).toEqual([])
    } finally {
      rmSync(credentials, { recursive: true })
    }
  })
})

test('every file is 0600 and every folder 0700, whatever the umask', async () => {
  await using daemon = new TestDaemon({ under: ['sh', '-c', 'umask 000; exec "$0" "$@"'] })
  await daemon.start()
  using wire = await Wire.connect(daemon.socket)
  await registerIssued(wire, op)
  const state = join(daemon.folder, 'state')
  const entries = readdirSync(state, { recursive: true, withFileTypes: true }).map((entry) => ({
    name: entry.name,
    mode: (statSync(join(entry.parentPath, entry.name)).mode & 0o777).toString(8),
    wanted: entry.isDirectory() ? '700' : '600',
  }))
  expect(entries.map(({ name }) => name).sort()).toEqual([
    'keys',
    'relyd.db',
    'relyd.db-lock',
    'relyd.db-shm',
    'relyd.db-wal',
    'store',
    'store.key',
  ])
  expect(entries.filter(({ mode, wanted }) => mode !== wanted)).toEqual([])
  expect((statSync(state).mode & 0o777).toString(8)).toBe('700')
})
