/** A site whose cfg its user may not write registers once all the same, and says what it did. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Op, startOp } from '../../demosite/src/op.js'
import { TestDaemon } from '../support/daemon.js'
import { permitted } from '../support/required.js'

const SITE = fileURLToPath(new URL('../peers/ordinary_site.js', import.meta.url))
const KEY = 'k'.repeat(42)
const UUID = /^"[0-9a-f-]{36}"$/

let op: Op
let daemon: TestDaemon
let folder: string
let cfg: string
let keys = 0

beforeAll(async () => {
  op = await startOp()
  daemon = await TestDaemon.start()
})

afterAll(async () => {
  await daemon?.[Symbol.asyncDispose]()
  await op?.close()
})

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'relyd-cfg-'))
  cfg = join(folder, 'site.cfg')
})

afterEach(() => {
  chmodSync(folder, 0o700)
  rmSync(folder, { recursive: true, force: true })
})

/** Writes the cfg, and says who may write it and its folder. */
function newCfg(oxd: string, modes: { file: number; folder: number }): string {
  writeFileSync(
    cfg,
    `[oxd]\nport = ${daemon.port}\n${oxd}\n[client]\nop_host = ${op.issuer}\n` +
      'authorization_redirect_uri = http://site.example/callback\nclient_id = issued\n' +
      'client_secret_file = secret\n',
  )
  writeFileSync(join(folder, 'secret'), 'a secret that nobody uses')
  chmodSync(cfg, modes.file)
  chmodSync(folder, modes.folder)
  return readFileSync(cfg, 'utf8')
}

/** Another one for each test: the daemon remembers them. */
function newKey(): string {
  keys += 1
  return `${KEY}${String.fromCharCode(96 + keys)}`
}

interface Run {
  /** What each method gave. */
  lines: string[]
  /** Warnings about the cfg, each from its path on; not of the secret, which all may read here. */
  warnings: string[]
}

async function runSite(
  methods: string[],
  { env = {}, under = [] }: { env?: NodeJS.ProcessEnv; under?: string[] } = {},
): Promise<Run> {
  const [command = '', ...args] = [...under, process.execPath, SITE, cfg, ...methods]
  const site = spawn(command, args, { env: { ...process.env, ...env } })
  const [out, told] = await Promise.all([text(site.stdout), text(site.stderr), once(site, 'close')])
  const warnings = told
    .split('\n')
    .filter((line) => !line.includes('every user of this host') && !line.includes('--trace-warn'))
    .flatMap((line) => /RelydConfigWarning: (.*)/.exec(line)?.[1] ?? (line === '' ? [] : line))
  return { lines: out.trim().split('\n'), warnings }
}

test('with a key in it, nothing is kept, and one notice says so', async () => {
  const before = newCfg(`idempotency_key = ${newKey()}`, { file: 0o444, folder: 0o555 })
  const [one, other] = await Promise.all([
    runSite(['registerSite', 'getSite', 'registerSite']),
    runSite(['registerSite']),
  ])
  expect(one.lines[0]).toMatch(UUID)
  expect(other.lines[0]).toBe(one.lines[0])
  expect(one.warnings).toEqual([
    `${cfg}: this user may not write the file, so the site's id is kept in memory only. Nothing is lost: every process of the site asks relyd for the same id, by the idempotency_key. To keep the id, let this user write the file`,
  ])
  expect(readFileSync(cfg, 'utf8')).toBe(before)
  expect(readdirSync(folder).sort()).toEqual(['secret', 'site.cfg'])

  // A third process cannot know whether there is a site to remove, until it asks.
  const { lines } = await runSite(['removeSite', 'registerSite', 'removeSite'])
  expect(lines[0]).toMatch(/ConfigError .*not registered, as far as.* call registerSite\(\) first/)
  expect(lines[1]).toBe(one.lines[0])
  expect(JSON.parse(lines[2] ?? '')).toMatchObject({ oxd_id: JSON.parse(one.lines[0] ?? '') })
})

test('without a key but in a folder of the site, one key is kept beside it, and moves in once it may', async () => {
  const before = newCfg('', { file: 0o444, folder: 0o777 })
  const runs = await Promise.all(Array.from({ length: 8 }, () => runSite(['registerSite'])))
  expect(new Set(runs.map(({ lines }) => lines[0])).size).toBe(1)
  expect(runs[0]?.lines[0]).toMatch(UUID)
  expect(runs[0]?.warnings).toEqual([
    `${cfg}: this user may not write the file, so the site's idempotency_key is kept in ${cfg}.key, and its id in memory only. Without that file the site would be registered again. To keep both in the cfg, let this user write it, or move the key to its [oxd] as idempotency_key`,
  ])
  expect(readFileSync(cfg, 'utf8')).toBe(before)
  expect(statSync(`${cfg}.key`).mode & 0o777).toBe(0o600)

  chmodSync(cfg, 0o666)
  const later = await runSite(['registerSite'])
  expect(later).toEqual({ lines: runs[0]?.lines, warnings: [] })
  expect(readFileSync(cfg, 'utf8')).toContain(`id = ${JSON.parse(runs[0]?.lines[0] ?? '')}`)
  expect(existsSync(`${cfg}.key`)).toBe(false)
})

test('a removed site takes the key beside its cfg with it', async () => {
  newCfg('', { file: 0o444, folder: 0o777 })
  const { lines } = await runSite(['registerSite', 'removeSite', 'registerSite'])
  expect(lines[0]).toMatch(UUID)
  expect(lines[2]).toMatch(UUID)
  expect(lines[2]).not.toBe(lines[0])
  expect((await runSite(['registerSite'])).lines).toEqual([lines[2]])
})

test.each([
  ['nor its folder', 0o444, /this user may write neither the file nor a file beside it/],
  ['but its folder not', 0o666, /this user may write the file but not its folder, where processes/],
])(
  'without a key, and where the user may not write it %s, it says what to add',
  async (_, file, why) => {
    const before = newCfg('', { file, folder: 0o555 })
    const { lines } = await runSite(['registerSite'])
    expect(lines[0]).toMatch(why)
    expect(lines[0]).toContain(
      'Add a line \\"idempotency_key = …\\" to [oxd], or set RELYD_IDEMPOTENCY_KEY',
    )
    expect(readFileSync(cfg, 'utf8')).toBe(before)
    expect(readdirSync(folder).sort()).toEqual(['secret', 'site.cfg'])
  },
)

test('a cfg in a closed folder takes the id in place', async () => {
  newCfg(`idempotency_key = ${newKey()}`, { file: 0o666, folder: 0o555 })
  const { lines, warnings } = await runSite(['registerSite'])
  expect(warnings).toEqual([])
  expect(readFileSync(cfg, 'utf8')).toContain(`\nid = ${JSON.parse(lines[0] ?? '')}\n`)
})

test("a key that another user's process keeps beside it is not passed over", async () => {
  newCfg('', { file: 0o444, folder: 0o777 })
  writeFileSync(`${cfg}.key`, newKey())
  chmodSync(`${cfg}.key`, 0)
  const { lines } = await runSite(['registerSite'])
  expect(lines[0]).toMatch(
    /key that another user keeps here for the site cannot be read \(EACCES\)/,
  )
})

describe('C19 the environment', () => {
  test('gives the key, and the cfg is left alone', async () => {
    const before = newCfg('id = elsewhere', { file: 0o444, folder: 0o555 })
    const env = { RELYD_IDEMPOTENCY_KEY: newKey() }
    const one = await runSite(['registerSite', 'removeSite', 'registerSite'], { env })
    expect(one.lines[0]).toMatch(UUID)
    expect(one.lines[2]).toMatch(UUID)
    expect((await runSite(['registerSite'], { env })).lines[0]).toBe(one.lines[2])
    expect(one.warnings).toEqual([])
    expect(readFileSync(cfg, 'utf8')).toBe(before)
    expect(readdirSync(folder).sort()).toEqual(['secret', 'site.cfg'])
  })

  test('gives the id, which a removal can only ask to take out of it', async () => {
    newCfg('', { file: 0o666, folder: 0o777 })
    const { lines } = await runSite(['registerSite'])
    const id = JSON.parse(lines[0] ?? '')
    const before = newCfg('id = elsewhere', { file: 0o666, folder: 0o777 })
    const env = { RELYD_ID: id }
    const { lines: given, warnings } = await runSite(['getSite', 'removeSite', 'getSite'], { env })
    expect(JSON.parse(given[0] ?? '')).toMatchObject({ oxd_id: id })
    expect(warnings).toEqual([`${cfg}: the site was removed; take its id out of RELYD_ID`])
    expect(given[2]).toMatch(/ConfigError .*site\.cfg: RELYD_ID: names a site that was removed/)
    expect(readFileSync(cfg, 'utf8')).toBe(before)
  })
})

/** Runs what follows with the cfg mounted over itself, as a container has it. */
const mounted = (options: string) => [
  'unshare',
  '--mount',
  'sh',
  '-ec',
  `mount --bind "$0" "$0"; mount -o remount,bind,${options} "$0"; exec "$@"`,
]
const mayMount = () =>
  permitted('unshare --mount', () => {
    const { status } = spawnSync('unshare', ['--mount', 'mount', '--bind', '/tmp', '/tmp'])
    return status === 0
  })

describe.skipIf(!mayMount())('a cfg that is mounted alone', () => {
  const run = (options: string) =>
    runSite(['registerSite'], { under: [...mounted(options), cfg], env: { STAY_ROOT: '1' } })

  test('is written in place', async () => {
    newCfg('', { file: 0o600, folder: 0o700 })
    const before = statSync(cfg).ino
    const { lines, warnings } = await run('rw')
    expect(warnings).toEqual([])
    expect(readFileSync(cfg, 'utf8')).toContain(`id = ${JSON.parse(lines[0] ?? '')}`)
    expect(statSync(cfg).ino).toBe(before)
    expect(readdirSync(folder).sort()).toEqual(['secret', 'site.cfg'])
  })

  test('read-only serves by its key', async () => {
    newCfg(`idempotency_key = ${newKey()}`, { file: 0o600, folder: 0o700 })
    const { lines, warnings } = await run('ro')
    expect(lines[0]).toMatch(UUID)
    expect(warnings).toEqual([expect.stringContaining("the site's id is kept in memory only")])
  })

  test('read-only and without a key asks for one, as what is kept beside it would be lost', async () => {
    newCfg('', { file: 0o600, folder: 0o700 })
    const { lines } = await run('ro')
    expect(lines[0]).toMatch(/the file is on a read-only mount, and a key that is kept elsewhere/)
    expect(readdirSync(folder).sort()).toEqual(['secret', 'site.cfg'])
  })
})
