/** What the operator does with sites, over the admin socket and by the command relyd. */
import { existsSync, linkSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Client } from '../../sdk/src/index.js'
import { BentOp, BentSite, send } from '../support/bent_op/index.js'
import { hasOpenssl, TestCa } from '../support/certificates.js'
import { relyd } from '../support/cli.js'
import { TestDaemon } from '../support/daemon.js'
import { seedSessions } from '../support/seed_sessions.js'
import { type Reply, Wire } from '../support/wire.js'

const redirect_uri = 'https://shop.example/callback'
const client_secret = 'marker secret of the operator'
const issued = {
  client_id: 'issued',
  client_secret,
  token_endpoint_auth_method: 'client_secret_basic' as const,
  redirect_uris: [redirect_uri, 'https://www.shop.example/callback'],
}

let op: BentOp
let daemon: TestDaemon
let admin: Wire
let site: Wire
let other: Wire

beforeAll(async () => {
  op = await BentOp.start()
  daemon = await TestDaemon.start({
    sections: '[listener other]\naddress = unix:{folder}/other.sock\nrealm = other',
  })
  admin = await Wire.connect(daemon.admin_socket)
  site = await Wire.connect(daemon.socket)
  other = await Wire.connect(join(daemon.folder, 'other.sock'))
})

beforeEach(() => {
  op.addClient(issued)
})

afterAll(async () => {
  for (const wire of [admin, site, other]) wire[Symbol.dispose]()
  await daemon[Symbol.asyncDispose]()
  await op[Symbol.asyncDispose]()
})

function paramsOf(name: string, changes: object = {}) {
  const { client_id } = issued
  const redirect_uris = [redirect_uri]
  return { name, op_host: op.issuer, client_id, client_secret, redirect_uris, ...changes }
}

const add = (name: string, changes: object = {}) => admin.ok('add_site', paramsOf(name, changes))

async function listAll(command: 'list_sites' | 'list_sessions', params: object = {}) {
  const found: Reply['data'][] = []
  let after: string | undefined
  let pages = 0
  do {
    const page: Reply['data'] = await admin.ok(command, { ...params, ...(after && { after }) })
    found.push(...(page.sites ?? page.sessions))
    after = page.next
    pages += 1
  } while (after !== undefined)
  return { found, pages }
}

test.skipIf(!hasOpenssl())(
  'a cfg for a listener with TLS is said to want its files still',
  async () => {
    using ca = new TestCa()
    const { certificate, key } = ca.issue('server', { san: 'IP:127.0.0.1' })
    await using remote = await TestDaemon.start({
      sections: `[listener remote]\naddress = tcp:127.0.0.1:0\ntls_certificate = ${certificate}\ntls_key = ${key}\ntls_client_ca = ${ca.certificate}\n`,
    })
    const bring = (name: string, listener: string) => {
      const where = ['--cfg', join(remote.folder, `${name}.cfg`), '--listener', listener]
      const what = ['--op', op.issuer, '--redirect-uri', redirect_uri]
      return relyd(['sites', 'add', name, ...what, ...where, '--config', remote.config])
    }
    const far = await bring('far', 'remote')
    expect(far.stdout).toMatch(/remote has TLS.* tls_ca, tls_certificate and tls_key/)
    expect(readFileSync(join(remote.folder, 'far.cfg'), 'utf8')).toContain('host = 127.0.0.1')
    expect((await bring('near', 'site')).stdout).not.toContain('tls_')
  },
)

describe('adding a site', () => {
  test('is done once, however often it is asked for, and told when something differs', async () => {
    const first = await add('once')
    expect(first).toMatchObject({ made: true, name: 'once', realm: 'default', sessions: 0 })
    expect(JSON.stringify(first)).not.toContain('marker')
    expect(await add('once')).toEqual({ ...first, made: false })
    for (const [changes, differs] of [
      [{ client_secret: 'another marker secret' }, ['credentials']],
      [{ client_id: 'other' }, ['client_id']],
      [{ scope: ['openid'] }, ['settings']],
      [{ redirect_uris: ['https://else.example/callback'] }, ['redirect_uris']],
    ]) {
      const refused = await admin.refused('add_site', paramsOf('once', changes as object))
      expect(refused).toMatchObject({ error: 'site_exists', details: { differs } })
      expect(JSON.stringify(refused)).not.toContain('marker')
    }
  })

  test('twice at once makes one', async () => {
    using second = await Wire.connect(daemon.admin_socket)
    const made = await Promise.all(
      [admin, second].map((wire) => wire.ok('add_site', paramsOf('racing'))),
    )
    expect(new Set(made.map(({ oxd_id }) => oxd_id)).size).toBe(1)
    expect(made.map((one) => one.made).sort()).toEqual([false, true])
  })

  test('registers one client at an OP that lets it, and removes that again', async () => {
    const params = { name: 'dynamic', op_host: op.issuer, redirect_uris: [redirect_uri] }
    const start = op.asked.length
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    op.bend({
      registration: (honest) => (response) => {
        void held.then(() => send(response, honest))
      },
    })
    const first = admin.ok('add_site', params)
    await expect.poll(() => op.calls(start).registration).toBe(1)
    expect(await admin.refused('add_site', params)).toMatchObject({
      error: 'registration_in_progress',
      retryable: true,
    })
    release()
    const { oxd_id, ...made } = await first
    op.straighten()
    expect(made).toMatchObject({ made: true, registered_by: 'relyd' })
    expect(await admin.ok('add_site', params)).toMatchObject({ oxd_id, made: false })
    expect(op.calls(start).registration).toBe(1)
    const fixed = await admin.refused('update_site', { site: 'dynamic', client_secret: 'x' })
    expect(fixed.error_description).toContain('relyd registered this client itself')
    expect(await admin.ok('remove_site', { site: 'dynamic' })).toMatchObject({
      removed_at_op: true,
    })
    // The name is free again.
    expect(await admin.ok('add_site', params)).toMatchObject({ made: true })
  })

  test('no idempotency key of a site stands for a name', async () => {
    const keys = ['squatted', '\u00ffsquatted', '\ufffdsquatted']
    for (const idempotency_key of keys) {
      const own = { op_host: op.issuer, authorization_redirect_uri: redirect_uri }
      await site.ok('register_site', { ...own, idempotency_key })
    }
    const params = { name: 'squatted', op_host: op.issuer, redirect_uris: [redirect_uri] }
    expect(await admin.ok('add_site', params)).toMatchObject({ made: true })
  })

  test.each([
    ['a name for a shell', { name: 'a b;c' }, 'name may have 1 to 63'],
    ['a realm that nobody serves', { realm: 'none' }, 'served: default, other'],
    ['a redirect URI with fragment', { redirect_uris: ['https://a.example/#b'] }, 'fragment'],
    ['a key beside a secret', { key_id: 'k' }, 'key_id is of no use with client_secret_basic'],
    [
      'a method without its key',
      { auth_method: 'private_key_jwt', client_secret: undefined },
      'private_key is missing',
    ],
    ['a secret without client', { client_id: undefined }, 'client_id is missing'],
    ['a client without credential', { client_secret: undefined }, 'or auth_method none, for a'],
  ])('%s is refused in words', async (_, changes, words) => {
    const refused = await admin.refused('add_site', paramsOf('refused', changes))
    expect(refused.error_description).toContain(words)
    expect(await admin.refused('show_site', { site: 'refused' })).toMatchObject({
      error: 'no_such_site',
    })
  })

  describe('on the command line', () => {
    const run = (...words: string[]) => relyd(['sites', ...words, '--config', daemon.config])
    const add = (...words: string[]) => run('add', 'worded', '--op', op.issuer, ...words)
    const back = ['--redirect-uri', redirect_uri]

    test.each<[string, string[], string]>([
      [
        'a client without credential',
        ['--client-id', 'a', ...back],
        'no credential; give --client-secret-file, --private-key, .* or --auth-method none for a public client',
      ],
      [
        'a credential without client',
        ['--private-key', 'key.pem', ...back],
        '--client-id is missing; --private-key belongs to one',
      ],
      ['nowhere to come back to', ['--client-id', 'a'], '--redirect-uri is missing'],
    ])('%s is seen before anything is done', async (_, words, wanted) => {
      const { status, stdout, stderr } = await add(...words)
      expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
      expect(stderr).toMatch(new RegExp(`^relyd: ${wanted}`))
    })

    test('what the daemon refuses is told by its options', async () => {
      const file = join(daemon.folder, 'worded.pem')
      writeFileSync(file, 'no key', { mode: 0o600 })
      const refused = async (...words: string[]) => {
        const { status, stderr } = await add('--client-id', 'a', ...words)
        expect(status).toBe(1)
        return stderr
      }
      const by_key = await refused('--private-key', file, ...back)
      expect(by_key).toMatch(/^relyd: --private-key /)
      const certificate = ['--tls-certificate', file, '--tls-key', file]
      expect(await refused(...certificate, ...back)).toMatch(/^relyd: --tls-key /)
      const apple = ['--apple-team-id', 'a', '--apple-key-id', 'b', '--apple-key', file]
      expect(await refused(...apple, ...back)).toMatch(
        /^relyd: --apple-team-id is not .* --apple-key-id in the name of the file/,
      )
      const secret = ['--client-secret-file', file]
      expect(await refused(...secret, '--redirect-uri', 'https://a.example/#b')).toMatch(
        /^relyd: --redirect-uri must be an absolute/,
      )
      expect(await refused(...secret, ...back, '--scope', `openid,${'x'.repeat(9000)}`)).toMatch(
        /^relyd: --scope \(number 2\) must /,
      )
    })

    test('update says what it lacks, and what --unset takes', async () => {
      const none = await run('update', 'shop')
      expect(none).toMatchObject({ status: 2, stderr: expect.stringContaining('nothing is given') })
      const unset = await run('update', 'shop', '--unset', 'scope')
      expect(unset).toMatchObject({ status: 2, stderr: expect.stringContaining('Allowed choices') })
    })

    test('a way back without TLS is warned of, but to the own computer', async () => {
      const stderrOf = async (name: string, uri: string) => {
        const client = ['--client-id', 'a', '--auth-method', 'none', '--redirect-uri', uri]
        const added = await run('add', name, '--op', op.issuer, ...client)
        expect(added.status).toBe(0)
        return added.stderr
      }
      expect(await stderrOf('clear', 'http://shop.example/callback')).toMatch(
        /^relyd: WARNING: logins come back to http:\/\/shop\.example\/callback without TLS/,
      )
      for (const [name, host] of [
        ['loop4', '127.0.0.1:3000'],
        ['loop6', '[::1]:3000'],
      ] as const) {
        expect(await stderrOf(name, `http://${host}/callback`)).toBe('')
      }
    })

    test('a realm that is nowhere is not an empty one', async () => {
      const nope = await run('list', '--realm', 'nope')
      expect(nope).toMatchObject({ status: 1, stdout: '' })
      expect(nope.stderr).toMatch(/no realm nope.*those that are served: default, other/)
      expect(await run('list', '--realm', 'other')).toMatchObject({ status: 0, stderr: '' })
    })
  })

  test('an OP at an address of the own network: the line for relyd.cfg is told', async () => {
    const secret = join(daemon.folder, 'secret')
    writeFileSync(secret, client_secret, { mode: 0o600 })
    const words = [
      '--client-id',
      'a',
      '--client-secret-file',
      secret,
      '--redirect-uri',
      redirect_uri,
    ]
    const where = ['--op', 'https://10.1.2.3:8443', '--config', daemon.config]
    const { status, stderr } = await relyd(['sites', 'add', 'inside', ...words, ...where])
    expect(stderr).toContain('under [realm default], write  allowed_op_hosts = 10.1.2.3:8443 ')
    expect(status).toBe(1)
  })
})

describe('a site of the same name in two realms', () => {
  let ids: string[]

  beforeAll(async () => {
    op.addClient(issued)
    ids = []
    for (const realm of ['default', 'other']) ids.push((await add('twin', { realm })).oxd_id)
  })

  test('is meant with its realm, or by its id', async () => {
    const [here, there] = ids
    const { error, error_description } = await admin.refused('show_site', { site: 'twin' })
    expect({ error, error_description }).toMatchObject({
      error: 'no_such_site',
      error_description: expect.stringMatching(/several sites: twin of default .*, twin of other/),
    })
    const show = (params: object) => admin.ok('show_site', params)
    expect(await show({ site: 'twin', realm: 'other' })).toMatchObject({ oxd_id: there })
    expect(await show({ site: here?.slice(0, 13) })).toMatchObject({ oxd_id: here })
    expect(await admin.refused('show_site', { site: here, realm: 'other' })).toMatchObject({
      error: 'no_such_site',
    })
  })

  test('is listed, changed and emptied in its own realm alone', async () => {
    const [here = '', there = ''] = ids
    const { found } = await listAll('list_sites', { realm: 'other' })
    expect(found.map(({ oxd_id }) => oxd_id)).toEqual([there])
    await admin.ok('update_site', { site: 'twin', realm: 'other', scope: ['openid'] })
    const seed = { issuer: op.issuer, sub: 'twins' }
    await seedSessions(
      daemon,
      ids.map((oxd_id) => ({ ...seed, oxd_id })),
    )
    const ended = await admin.ok('end_sessions', { sub: 'twins', realm: 'other' })
    expect(ended).toEqual({ ended: 1, tokens_revoked: 0 })
    const sessions = await listAll('list_sessions', { sub: 'twins' })
    expect(sessions.found.map(({ oxd_id }) => oxd_id)).toEqual([here])
    expect(await admin.ok('show_site', { site: here })).toMatchObject({
      scope: ['openid', 'profile', 'email'],
    })
    // No socket of websites sees the other's.
    expect(await site.refused('get_site', { oxd_id: there })).toMatchObject({
      error: 'invalid_oxd_id',
    })
    expect(await other.ok('get_site', { oxd_id: there })).toMatchObject({ scope: ['openid'] })
  })
})

describe('changing a site', () => {
  test('lets logins go on that are under way', async () => {
    const { oxd_id } = await add('moving')
    const moving = new BentSite(site, op, oxd_id)
    const begun = await moving.begin()
    op.addClient({ ...issued, client_secret: 'marker the new one' })
    // Still the old secret: no other thing is tried.
    const early = await moving.begin()
    expect(await site.refused('get_tokens_by_callback', early)).toMatchObject({
      error: 'op_error',
      details: { error: 'invalid_client' },
    })
    const changed = await admin.ok('update_site', {
      site: 'moving',
      client_secret: 'marker the new one',
      redirect_uris: [issued.redirect_uris[1], redirect_uri],
    })
    expect(changed.redirect_uris).toEqual(issued.redirect_uris.toReversed())
    expect(changed.updated_at).toBeGreaterThanOrEqual(changed.created_at)
    expect(await site.ok('get_tokens_by_callback', begun)).toMatchObject({ sub: op.sub })
    await moving.accepts()
    expect(new URLSearchParams(op.last('token').body).get('redirect_uri')).toBe(
      issued.redirect_uris[1],
    )
    expect(await admin.refused('remove_site', { site: 'moving' })).toMatchObject({
      error: 'site_has_sessions',
      details: { sessions: 2 },
    })
    await admin.ok('remove_site', { site: 'moving', end_sessions: true })
  })

  test('from http to https and back lets logins go on, each by the cookie of its own address alone', async () => {
    const plain = redirect_uri.replace('https:', 'http:')
    op.addClient({ ...issued, redirect_uris: [plain, redirect_uri] })
    const { oxd_id } = await add('secured', { redirect_uris: [plain, redirect_uri] })
    const begin = async () => {
      const { authorization_url, set_cookie } = await site.ok('get_authorization_url', { oxd_id })
      const [cookie = ''] = set_cookie.split(';', 1)
      return { oxd_id, callback: op.authorize(authorization_url), cookie }
    }
    const move = (...redirect_uris: string[]) =>
      admin.ok('update_site', { site: 'secured', redirect_uris })
    // Another host of the domain can have set what has no __Host- before its name.
    const planted = ({ cookie, ...begun }: Awaited<ReturnType<typeof begin>>) => ({
      ...begun,
      cookie: cookie.replace('__Host-', ''),
    })
    const insecure = await begin()
    await move(redirect_uri, plain)
    expect(await site.ok('get_tokens_by_callback', insecure)).toMatchObject({ sub: op.sub })
    const secure = await begin()
    expect(secure.cookie).toMatch(/^__Host-/)
    const attacked = await begin()
    expect(await site.refused('get_tokens_by_callback', planted(attacked))).toMatchObject({
      error: 'invalid_binding',
    })
    const later = await begin()
    await move(plain, redirect_uri)
    expect(await site.ok('get_tokens_by_callback', secure)).toMatchObject({ sub: op.sub })
    expect(await site.refused('get_tokens_by_callback', planted(later))).toMatchObject({
      error: 'invalid_binding',
    })
  })

  test('says what its logins ask for, within what relyd.cfg allows the realm', async () => {
    const run = (...words: string[]) => relyd(['sites', ...words, '--config', daemon.config])
    const asks = async (oxd_id: string) => {
      const { authorization_url } = await site.ok('get_authorization_url', { oxd_id })
      const { searchParams } = new URL(authorization_url)
      return [searchParams.get('response_type'), searchParams.get('response_mode')]
    }
    const posted = { response_type: 'code id_token', response_mode: 'form_post' }
    const { oxd_id } = await add('hybrid', posted)
    expect(await admin.ok('show_site', { site: 'hybrid' })).toMatchObject(posted)
    expect(await asks(oxd_id)).toEqual(['code id_token', 'form_post'])
    const options = ['--response-type', 'id_token', '--unset', 'response_mode']
    expect(await run('update', 'hybrid', ...options)).toMatchObject({ status: 0 })
    expect(await asks(oxd_id)).toEqual(['id_token', null])
    const exposed = await run('update', 'hybrid', '--response-type', 'id_token token')
    expect(exposed).toMatchObject({
      stderr: expect.stringMatching(
        /^relyd: --response-type id_token token brings an access token/,
      ),
    })
    expect(
      await admin.refused('add_site', paramsOf('exposed', { response_type: 'code token' })),
    ).toMatchObject({ error: 'invalid_request', details: { field: 'response_type' } })
    const queried = await run('update', 'hybrid', '--response-mode', 'query')
    expect(queried.stderr).toMatch(/^relyd: --response-mode query is for code alone/)
    expect(await asks(oxd_id)).toEqual(['id_token', null])
  })

  test('changes all of what is given, or nothing', async () => {
    await add('whole')
    await add('taken')
    const before = await admin.ok('show_site', { site: 'whole' })
    for (const [params, error] of [
      [{ scope: ['openid'], private_key: 'no key' }, 'invalid_request'],
      [{ scope: ['openid'], name: 'taken' }, 'site_exists'],
      [{ scope: ['openid'], redirect_uris: ['no'] }, 'invalid_authorization_redirect_uri'],
      [{}, 'invalid_request'],
    ] as const) {
      expect(await admin.refused('update_site', { site: 'whole', ...params })).toMatchObject({
        error,
      })
    }
    expect(await admin.ok('show_site', { site: 'whole' })).toEqual(before)
    const named = await admin.ok('update_site', {
      site: 'whole',
      name: 'renamed',
      post_logout_redirect_uri: 'https://shop.example/',
    })
    expect(named).toMatchObject({ oxd_id: before.oxd_id, name: 'renamed' })
    const unset = { site: 'renamed', unset: ['post_logout_redirect_uri'] }
    expect(await admin.ok('update_site', unset)).not.toHaveProperty('post_logout_redirect_uri')
  })
})

describe('removing a site', () => {
  test('ends it for the website, whose cfg stands for nothing then', async () => {
    const cfg = join(daemon.folder, 'gone.cfg')
    const secret = join(daemon.folder, 'gone.secret')
    writeFileSync(secret, client_secret, { mode: 0o600 })
    const words = [
      '--client-id',
      'issued',
      '--client-secret-file',
      secret,
      '--redirect-uri',
      redirect_uri,
    ]
    const own = ['--cfg', cfg, '--cfg-owner', userInfo().username, '--config', daemon.config]
    const added = await relyd(['sites', 'add', 'gone', '--op', op.issuer, ...words, ...own])
    expect(added).toMatchObject({ status: 0 })
    await using client = new Client(cfg, { env: {} })
    const { oxd_id } = await client.getSite()
    await seedSessions(daemon, [{ oxd_id, issuer: op.issuer, sub: 'a' }])

    // A website that was broken into cannot take its own credentials away.
    await expect(client.removeSite()).rejects.toThrow('the operator added this site')
    const remove = (...more: string[]) =>
      relyd(['sites', 'remove', 'gone', '--config', daemon.config, ...more])
    const asked = await remove()
    expect(asked.stderr).toContain('has 1 session, which would end; say --yes')
    expect(asked.status).toBe(1)
    expect(await client.getSite()).toMatchObject({ oxd_id })
    expect(await remove('--yes')).toMatchObject({ status: 0 })

    const calls = op.calls()
    await expect(client.getAuthorizationUrl()).rejects.toThrow(
      /no site of this realm has this oxd_id.*\(relyd sites add\)/,
    )
    // Nothing is registered in its place.
    expect(op.calls()).toEqual(calls)
    const sessions = () => listAll('list_sessions', { sub: 'a' }).then(({ found }) => found.length)
    await expect.poll(sessions, { timeout: 5000 }).toBe(0)
  })
})

describe('a cfg', () => {
  const secretFile = () => join(daemon.folder, 'cfg.secret')
  const addWith = (name: string, cfg: string, ...more: string[]) => {
    writeFileSync(secretFile(), client_secret, { mode: 0o600 })
    const words = [
      '--client-id',
      'issued',
      '--client-secret-file',
      secretFile(),
      '--redirect-uri',
      redirect_uri,
    ]
    return relyd([
      'sites',
      'add',
      name,
      '--op',
      op.issuer,
      ...words,
      '--cfg',
      cfg,
      '--config',
      daemon.config,
      ...more,
    ])
  }

  test('of a site keeps what is not about the registration', async () => {
    const cfg = join(daemon.folder, 'kept.cfg')
    const text =
      '# Ours\n[oxd]\nhost: localhost\nport: 8099\nidempotency_key = abc\n\n[client]\n; scopes\nscope = openid\n'
    writeFileSync(cfg, text, { mode: 0o604 })
    expect(await addWith('kept', cfg, '--json')).toMatchObject({ status: 0 })
    const { oxd_id } = await admin.ok('show_site', { site: 'kept' })
    expect(readFileSync(cfg, 'utf8').split('\n')).toEqual([
      '# Ours',
      '[oxd]',
      'host:',
      'port:',
      'idempotency_key =',
      `socket = ${daemon.socket}`,
      `id = ${oxd_id}`,
      '',
      '[client]',
      '; scopes',
      'scope = openid',
      `op_host = ${op.issuer}`,
      `authorization_redirect_uri = ${redirect_uri}`,
      '',
    ])
    expect(statSync(cfg).mode & 0o777).toBe(0o604)
    await using client = new Client(cfg, { env: {} })
    expect(await client.getSite()).toMatchObject({ oxd_id })
  })

  test('that is a link is not followed, and nothing is added', async () => {
    const target = join(daemon.folder, 'target')
    const link = join(daemon.folder, 'link.cfg')
    writeFileSync(target, '')
    symlinkSync(target, link)
    const { status, stderr } = await addWith('linked', link)
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: expect.stringContaining('symbolic link'),
    })
    expect(readFileSync(target, 'utf8')).toBe('')
    expect(await admin.refused('show_site', { site: 'linked' })).toMatchObject({
      error: 'no_such_site',
    })
  })

  test('that has another name too is not read for whoever may have made it', async () => {
    const target = join(daemon.folder, 'target.ini')
    const cfg = join(daemon.folder, 'hard.cfg')
    writeFileSync(target, '[theirs]\nsecret = marker\n')
    linkSync(target, cfg)
    const { status, stderr } = await addWith('hard', cfg)
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining('hard links') })
    expect(readFileSync(cfg, 'utf8')).toContain('[theirs]')
  })

  test('for a user that this host does not have is not written, and nothing is added', async () => {
    const cfg = join(daemon.folder, 'nobody.cfg')
    const { status, stderr } = await addWith('nobody', cfg, '--cfg-owner', 'no-such-user')
    expect({ status, stderr }).toEqual({
      status: 2,
      stderr: expect.stringContaining('no user or group no-such-user'),
    })
    expect(existsSync(cfg)).toBe(false)
    expect(await admin.refused('show_site', { site: 'nobody' })).toMatchObject({
      error: 'no_such_site',
    })
  })
})
