/** A backup that is made under load is restored elsewhere with the key: logins on their way come back, sessions work. */
import { cpSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SCHEMA_VERSION } from '../../daemon/src/store/migrations/migrate.js'
import { type Op, startOp } from '../../demosite/src/op.js'
import { relyd } from '../support/cli.js'
import { TestDaemon } from '../support/daemon.js'
import { EndUser } from '../support/end_user.js'
import { redirect_uri, registerIssued } from '../support/site.js'
import { Stored } from '../support/stored.js'
import { Wire } from '../support/wire.js'

let op: Op

beforeAll(async () => {
  op = await startOp()
})
afterAll(() => op.close())

const placeOf = ({ folder }: TestDaemon) => ({
  database: join(folder, 'state', 'store', 'relyd.db'),
  key_file: join(folder, 'state', 'keys', 'store.key'),
})

function backupFileOf(daemon: TestDaemon): string {
  const folder = join(daemon.folder, 'backups')
  mkdirSync(folder, { recursive: true })
  return join(folder, 'one.db')
}

/** Ends what is asked, with the daemon's configuration. */
function run(daemon: TestDaemon, ...args: string[]) {
  return relyd([...args, '--config', daemon.config])
}

test('logins that were pending at the time of the backup finish at a daemon that was restored from it', async () => {
  await using daemon = await TestDaemon.start()
  using wire = await Wire.connect(daemon.socket)
  const { oxd_id } = await wire.ok('register_site', {
    op_host: op.issuer,
    authorization_redirect_uri: redirect_uri,
  })
  const begin = () => wire.ok('get_authorization_url', { oxd_id })
  const finish = async (login: Awaited<ReturnType<typeof begin>>, at: Wire) => {
    const callback = await new EndUser().logIn(login.authorization_url)
    return at.ok('get_tokens_by_callback', { oxd_id, callback, binding: login.binding })
  }
  const done = await finish(await begin(), wire)
  const pending = [await begin(), await begin(), await begin()]

  // Others begin logins and send them back all the while, over connections of their own.
  const busy = await registerIssued(wire, op)
  let ended = false
  let begun = 0
  const load = Promise.all(
    Array.from({ length: 4 }, async () => {
      using one = await Wire.connect(daemon.socket, 'msgpack')
      while (!ended) {
        await Promise.all(
          Array.from({ length: 16 }, () => one.ok('get_authorization_url', { oxd_id: busy })),
        )
        begun += 16
      }
    }),
  )
  load.catch(() => {})
  await expect.poll(() => begun, { timeout: 20_000 }).toBeGreaterThan(100)
  const file = backupFileOf(daemon)
  const before = begun
  const made = await run(daemon, 'backup', file, '--json')
  expect(made).toMatchObject({ status: 0, stderr: '' })
  expect(begun).toBeGreaterThan(before)
  ended = true
  await load
  const { rows, key_ids, key_file } = JSON.parse(made.stdout)
  expect(rows).toMatchObject({ sites: 2, sessions: 1 })
  expect(rows.logins).toBeGreaterThanOrEqual(3 + before)
  // Those that were answered, and at the most all that were asked for.
  expect(rows.logins).toBeLessThanOrEqual(3 + begun + 4 * 16)
  expect(readFileSync(key_file, 'utf8')).toContain(key_ids[0])
  expect(daemon.log.filter(({ level }) => level >= 50)).toEqual([])
  const later = await registerIssued(wire, op)
  await daemon.stop()

  await using other = new TestDaemon()
  mkdirSync(dirname(placeOf(other).key_file), { recursive: true, mode: 0o700 })
  // Without the keys it is refused, naming the one that is needed.
  const refused = await run(other, 'restore', '--check', file)
  expect(refused.status).toBe(1)
  expect(refused.stderr).toContain(`is encrypted with ${key_ids[0]}, and there is no key file`)
  cpSync(key_file, placeOf(other).key_file)
  const restored = await run(other, 'restore', file)
  expect(restored).toMatchObject({ status: 0, stderr: '' })
  expect(restored.stdout).toContain('is logged in until the session expires')
  await other.start()
  using there = await Wire.connect(other.socket)
  for (const login of pending) {
    expect((await finish(login, there)).sub).toBe('alice')
    const again = {
      oxd_id,
      callback: `${redirect_uri}?state=${login.state}&code=x&iss=${op.issuer}`,
    }
    const twice = await there.refused('get_tokens_by_callback', {
      ...again,
      binding: login.binding,
    })
    expect(twice.error).toBe('invalid_state')
  }
  const { session_id } = done
  expect((await there.ok('get_user_info', { oxd_id, session_id })).claims.sub).toBe('alice')
  expect((await there.refused('get_site', { oxd_id: later })).error).toBe('invalid_oxd_id')
}, 120_000)

describe('the commands', () => {
  test('say what came of them, and of what they need', async () => {
    await using daemon = await TestDaemon.start()
    const { database, key_file } = placeOf(daemon)
    const file = backupFileOf(daemon)
    const made = await run(daemon, 'backup', file)
    const [, key_id] = /^(\w{8}) /m.exec(readFileSync(key_file, 'utf8')) ?? []
    expect(made.stdout).toContain(`Backed up ${database} to ${file}`)
    expect(made.stdout).toContain(`open with the key ${key_id} of ${key_file}`)
    expect(statSync(file).mode & 0o777).toBe(0o600)

    expect(await run(daemon, 'backup', file)).toMatchObject({
      status: 1,
      stdout: '',
      stderr: `relyd: ${file} exists; choose another name, or replace it with --force\n`,
    })
    const refused = await run(daemon, 'restore', file)
    expect(refused.status).toBe(1)
    expect(refused.stderr).toContain('is in use: stop the daemon first')
    await daemon.stop()
    const restored = JSON.parse((await run(daemon, 'restore', file, '--json')).stdout)
    expect(restored).toMatchObject({ file, database, key_file, schema: SCHEMA_VERSION })
    expect(restored.kept).toMatch(/relyd\.db\.before-restore-\d{8}T\d{6}Z$/)
  }, 60_000)

  test('tell a disk that is full in words, and leave nothing behind', async () => {
    using stored = new Stored()
    stored.makeAtSchema(SCHEMA_VERSION, 'shop')
    stored.execute('CREATE TABLE filler (x); INSERT INTO filler VALUES (zeroblob(300000))')
    await using daemon = new TestDaemon({
      daemon: { database: stored.database, key_file: stored.key_file },
    })
    const file = backupFileOf(daemon)
    // The limit on a file's size, in half kilobytes: to SQLite it is a disk that takes no more.
    const small = await relyd(['backup', file, '--config', daemon.config], {}, [
      'sh',
      '-c',
      'trap "" XFSZ; ulimit -f 200; exec "$@"',
      'sh',
    ])
    expect(small.status).toBe(1)
    expect(small.stderr).toContain(`relyd: Cannot copy ${stored.database} to ${file}: `)
    expect(readdirSync(dirname(file))).toEqual([])
  })
})
