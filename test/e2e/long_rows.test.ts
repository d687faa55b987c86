/** Sites and sessions that others made as long as they could: the operator's lists go on past them. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { relyd } from '../support/cli.js'
import { TestDaemon } from '../support/daemon.js'
import { seedSessions } from '../support/seed_sessions.js'
import { seedSites } from '../support/seed_sites.js'
import { type Reply, Wire } from '../support/wire.js'

const LONGEST = 'x'.repeat(4096)
const issuer = 'https://op.example'

let daemon: TestDaemon
let admin: Wire

beforeAll(async () => {
  daemon = await TestDaemon.start()
  admin = await Wire.connect(daemon.admin_socket)
})

afterAll(async () => {
  admin[Symbol.dispose]()
  await daemon[Symbol.asyncDispose]()
})

const list = (text = LONGEST) => new Array<string>(100).fill(text)

async function run(...args: string[]) {
  const { status, stdout, stderr } = await relyd([...args, '--config', daemon.config])
  expect([status, stderr]).toEqual([0, expect.any(String)])
  return stdout
}

const json = async (...args: string[]): Promise<Reply['data']> =>
  JSON.parse(await run(...args, '--json'))

test('sites of before the bound are listed, shown, changed, exported past and removed', async () => {
  // More than a frame each, or many that are together.
  const huge = { scope: list(), acr_values: list(), ui_locales: list(), claims_locales: list() }
  const escaped = { client_name: '\u0001'.repeat(4096), post_logout_redirect_uri: LONGEST }
  const seeds = [
    { name: 'huge', settings: huge },
    { name: 'huge2', settings: huge },
    ...Array.from({ length: 300 }, (_, n) => ({ name: `many${n}`, settings: escaped })),
  ]
  const [huge_id = ''] = await seedSites(daemon, seeds)

  const { sites } = await json('sites', 'list')
  expect(sites).toHaveLength(seeds.length)
  const listed = sites.find(({ name }: { name: string }) => name === 'huge')
  expect(listed.cut).toEqual(['scope', 'acr_values', 'ui_locales', 'claims_locales'])
  expect(JSON.stringify(listed).length).toBeLessThan(40_000)
  const whole = sites.find(({ name }: { name: string }) => name === 'many7')
  expect(whole).toMatchObject(escaped)
  expect(whole).not.toHaveProperty('cut')

  expect(await json('sites', 'show', 'huge')).toMatchObject({
    oxd_id: huge_id,
    scope: new Array(15).fill(LONGEST),
    cut: listed.cut,
  })
  const renamed = await json('sites', 'update', 'huge', '--name', 'renamed')
  expect(renamed).toMatchObject({ name: 'renamed', cut: listed.cut })

  const exported = JSON.parse(await run('sites', 'export'))
  expect(exported.sites).toHaveLength(seeds.length - 2)

  await seedSessions(daemon, [{ oxd_id: huge_id, issuer, sub: 'alice' }])
  const refused = await relyd(['sites', 'remove', huge_id, '--config', daemon.config])
  expect(refused).toMatchObject({ status: 1, stderr: expect.stringContaining('1 session') })
  expect(await json('sites', 'remove', huge_id, '--yes')).toMatchObject({ sessions: 1 })
}, 60_000)

test('sessions of which an OP said too much are listed all', async () => {
  const [oxd_id = ''] = await seedSites(daemon, [{ name: 'chatty', settings: {} }])
  const seeds = [
    ...Array.from({ length: 3 }, () => ({ oxd_id, issuer, sub: 'a', amr: list() })),
    { oxd_id, issuer, sub: 'b'.repeat(2_000_000) },
    ...Array.from({ length: 60 }, () => ({ oxd_id, issuer, sub: '\u0001'.repeat(4096) })),
    { oxd_id, issuer, sub: 'c' },
  ]
  await seedSessions(daemon, seeds)
  const { sessions } = await json('sessions', 'list', '--site', 'chatty')
  const told = sessions.map(({ sub, amr, cut }: Reply['data']) => [
    sub[0],
    sub.length,
    amr?.length,
    cut,
  ])
  expect(told).toHaveLength(seeds.length)
  expect(told).toEqual(
    expect.arrayContaining([
      ['a', 1, 1, ['amr']],
      ['b', 4096, undefined, ['sub']],
      ['c', 1, undefined, undefined],
    ]),
  )
  expect(await run('sessions', 'end', '--site', 'chatty')).toContain(
    `Ended ${seeds.length} sessions.`,
  )
})

test('a registration that says too much is refused before anybody is asked', async () => {
  using site = await Wire.connect(daemon.socket)
  const params = {
    op_host: 'https://op.invalid',
    authorization_redirect_uri: 'https://site.example/callback',
    acr_values: list('y'.repeat(700)),
  }
  expect(await site.refused('register_site', params)).toMatchObject({
    error: 'invalid_request',
    error_description: expect.stringContaining('acr_values is too long'),
    details: { field: 'acr_values' },
  })
  const named = { name: 'new', op_host: params.op_host, redirect_uris: ['https://site.example/'] }
  for (const [command, more] of [
    ['add_site', named],
    ['update_site', { site: 'chatty' }],
  ] as const) {
    expect(await admin.refused(command, { ...more, scope: list() })).toMatchObject({
      error: 'invalid_request',
      details: { field: 'scope' },
    })
  }
})

test('a line of JSON ends at a line feed alone, whatever else ends a line elsewhere', async () => {
  const client_name = 'a\u2028b\u2029c\u0085d\re'
  await seedSites(daemon, [{ name: 'lines', settings: { client_name } }])
  expect(await json('sites', 'show', 'lines')).toMatchObject({ client_name })
})
