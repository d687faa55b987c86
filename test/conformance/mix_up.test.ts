/**
 * M6, S10: what one OP answers, given to a website as if it were another's (RFC 9700 4.4). Mallory's
 * OP has a browser that logs in there sent on to the honest one, whose code it wants.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { BentOp, BentSite, type Calls, type Members, makeKey } from '../support/bent_op/index.js'
import { TestDaemon } from '../support/daemon.js'
import { Wire } from '../support/wire.js'

const key = makeKey('ES256')
const silent = { authorization_response_iss_parameter_supported: undefined }
const other_op = { error: 'invalid_issuer', retryable: false }
const shared = { error: 'invalid_authorization_redirect_uri', retryable: false }

let daemon: TestDaemon
let wire: Wire
let ops: BentOp[] = []
/** Of this test alone, for the realm counts who shares one. */
let website: string
let websites = 0

beforeAll(async () => {
  daemon = await TestDaemon.start({ daemon: { op_timeout: 1 } })
  wire = await Wire.connect(daemon.socket)
})

afterAll(async () => {
  wire[Symbol.dispose]()
  await daemon[Symbol.asyncDispose]()
})

beforeEach(() => {
  websites += 1
  website = `https://site${websites}.example`
})

afterEach(async () => {
  for (const op of ops.splice(0)) await op[Symbol.asyncDispose]()
  ops = []
})

async function start(metadata: Members = {}): Promise<BentOp> {
  const op = await BentOp.start({ key, metadata })
  ops.push(op)
  return op
}

function register(op: BentOp, path = '/callback'): Promise<BentSite> {
  return BentSite.register(wire, op, { authorization_redirect_uri: website + path })
}

/** Whether it says who it is. */
function says(op: BentOp): boolean {
  return op.metadata['authorization_response_iss_parameter_supported'] === true
}

/**
 * A login that began at one OP, whose browser that OP sent on to another: as the site's client
 * there, with what the login began with.
 */
async function misled(from: BentSite, to: BentSite) {
  const { oxd_id } = from
  const begun = await wire.ok('get_authorization_url', { oxd_id })
  const url = new URL(`${to.op.issuer}/authorize`)
  url.search = new URL(begun.authorization_url).search
  const there = await wire.ok('get_site', { oxd_id: to.oxd_id })
  url.searchParams.set('client_id', there.client_id)
  url.searchParams.set('redirect_uri', there.authorization_redirect_uri)
  const callback = to.op.authorize(url.href, (response) => {
    if (!says(to.op)) response.delete('iss')
  })
  return { oxd_id, callback, binding: begun.binding }
}

/**
 * The callback is refused, each OP is asked no more than this, no session comes out, and the next
 * login is as good as any.
 */
async function refuses(
  site: BentSite,
  callback: object,
  refused: object,
  { asked = {}, next = site }: { asked?: Calls; next?: BentSite } = {},
): Promise<void> {
  const before = ops.map((op) => op.asked.length)
  const calls = () => ops.map((op, n) => op.calls(before[n]))
  const expected = ops.map((op) => (op === next.op ? asked : {}))
  const stored = await daemon.stored()
  const said = await wire.refused('get_tokens_by_callback', callback)
  expect(said).toMatchObject(refused)
  const secrets = ops.flatMap((op) => op.secrets)
  for (const secret of secrets) expect(JSON.stringify(said)).not.toContain(secret)
  const again = await wire.refused('get_tokens_by_callback', callback)
  expect(again).toMatchObject({ error: 'invalid_state' })
  expect(calls()).toEqual(expected)
  expect(await daemon.stored()).toEqual(stored)
  await next.accepts({
    callback: (response) => {
      if (!says(next.op)) response.delete('iss')
    },
  })
}

describe('M6 S10 the honest OP’s response to a login that began at Mallory’s', () => {
  test('is told by iss, with one redirect URI for both', async () => {
    const [honest, mallory] = [await register(await start()), await register(await start())]
    await refuses(mallory, await misled(mallory, honest), other_op)
  })

  test('is told by iss although Mallory’s OP announces none', async () => {
    const [honest, mallory] = [await register(await start()), await register(await start(silent))]
    await refuses(mallory, await misled(mallory, honest), other_op)
  })

  test('is told by the iss that it lacks, where Mallory’s OP announces it', async () => {
    const [honest, mallory] = [await register(await start(silent)), await register(await start())]
    await refuses(mallory, await misled(mallory, honest), other_op)
    await refuses(honest, await misled(honest, mallory), other_op)
  })

  test('is told by where it came, if no OP says who it is', async () => {
    const honest = await register(await start(silent), '/{op}/callback')
    const mallory = await register(await start(silent), '/{op}/callback')
    const { callback, ...rest } = await misled(mallory, honest)
    await refuses(
      mallory,
      { callback, ...rest },
      {
        ...other_op,
        spec: 'RFC 9700 4.4',
      },
    )
    // The path alone tells it as well.
    const { pathname, search } = new URL((await misled(mallory, honest)).callback)
    const again = await misled(mallory, honest)
    expect(new URL(again.callback).pathname).toBe(pathname)
    const came = new URL(again.callback)
    await refuses(mallory, { ...again, callback: came.pathname + came.search }, other_op)
    expect(search).not.toBe('')
  })

  test('is nothing to the site that has the redirect URI where it came', async () => {
    const honest = await register(await start(silent), '/{op}')
    const mallory = await register(await start(silent), '/{op}')
    const begun = await misled(mallory, honest)
    await refuses(honest, { ...begun, oxd_id: honest.oxd_id }, { error: 'invalid_state' })
  })
})

describe('M6 two OPs that do not say who they are', () => {
  test('cannot share a redirect URI, and are told how not to', async () => {
    const one = await register(await start(silent))
    const op = await start(silent)
    const params = {
      op_host: op.issuer,
      authorization_redirect_uri: `${website}/callback`,
      idempotency_key: `two OPs at ${op.issuer}`,
    }
    expect(await wire.refused('register_site', params)).toMatchObject({
      ...shared,
      error_description: expect.stringContaining('{op}'),
      details: { redirect_uri: `${website}/callback` },
    })
    // Which OP another site has chosen is not the newcomer's to know.
    const told = JSON.stringify(
      await wire.refused('register_site', { ...params, idempotency_key: 'x' }),
    )
    expect(told).not.toContain(new URL(one.op.issuer).host)
    // Nothing was registered there, and the OP that was first is none the worse for it.
    expect(op.calls()).toEqual({ discovery: 1, jwks: 1 })
    await one.accepts({ callback: (response) => response.delete('iss') })
    const further = { ...params, authorization_redirect_uri: `${website}/other` }
    const list = { ...further, redirect_uris: [`${website}/callback`], idempotency_key: 'a list' }
    expect(await wire.refused('register_site', list)).toMatchObject(shared)
    const { oxd_id } = await wire.ok('register_site', { ...further, idempotency_key: 'another' })
    const moved = { oxd_id, authorization_redirect_uri: `${website}/callback` }
    expect(await wire.refused('update_site', moved)).toMatchObject(shared)
    expect(op.calls()).not.toHaveProperty('client')
  })

  test('P43 have one each by {op}, the same for every site', async () => {
    const [first, second] = [await start(silent), await start(silent)]
    const uriAt = async (op: BentOp) => {
      const told = await wire.ok('register_site', {
        op_host: op.issuer,
        authorization_redirect_uri: `${website}/{op}/callback?from={op}`,
        redirect_uris: [`${website}/{op}/else`],
      })
      const { oxd_id, authorization_redirect_uri: uri } = told
      expect(await wire.ok('get_site', { oxd_id })).toMatchObject({
        authorization_redirect_uri: uri,
      })
      expect(JSON.parse(op.last('registration').body).redirect_uris).toEqual([
        uri,
        uri.replace(/callback.*/, 'else'),
      ])
      expect(uri).toMatch(/^https:\/\/site\d+\.example\/[\w-]{16}\/callback\?from=[\w-]{16}$/)
      return uri
    }
    const uris = [await uriAt(first), await uriAt(second), await uriAt(first)]
    expect(uris[0]).toBe(uris[2])
    expect(uris[0]).not.toBe(uris[1])
  })

  test('are kept apart where the operator adds the sites, too', async () => {
    using admin = await Wire.connect(daemon.admin_socket)
    const add = async (op: BentOp, uri: string) =>
      admin.call('add_site', {
        name: `site at ${new URL(op.issuer).port}`.replaceAll(' ', '-'),
        op_host: op.issuer,
        client_id: 'issued',
        client_secret: 'of the operator',
        redirect_uris: [website + uri],
      })
    const [one, two] = [await start(silent), await start(silent)]
    expect((await add(one, '/callback')).data).toMatchObject({ made: true })
    expect((await add(two, '/callback')).data).toMatchObject(shared)
    const added = await add(two, '/{op}')
    expect(added.data.redirect_uris).toEqual([expect.stringMatching(/\/[\w-]{16}$/)])
    expect((await add(two, '/{op}')).data).toMatchObject({ ...added.data, made: false })
  })

  test('send nobody to the later one, should they have come to share one', async () => {
    const issued = async (op: BentOp, path: string) => {
      const client = op.addClient({
        client_id: 'issued',
        client_secret: 'of the operator',
        token_endpoint_auth_method: 'client_secret_basic',
        redirect_uris: [website + path],
      })
      const { client_id, client_secret = '' } = client
      const authorization_redirect_uri = website + path
      const params = { client_id, client_secret, authorization_redirect_uri }
      return BentSite.register(wire, op, params)
    }
    const one = await issued(await start(silent), '/one')
    const two = await issued(await start(silent), '/two')
    using admin = await Wire.connect(daemon.admin_socket)
    const redirect_uris = [`${website}/two`]
    await admin.ok('update_site', { site: one.oxd_id, redirect_uris })
    // The later one: no login can begin there whose callback brings a code of the other's.
    const refusals = await Promise.all(
      [one, two].map(({ oxd_id }) => wire.call('get_authorization_url', { oxd_id })),
    )
    expect(refusals.map(({ status }) => status).sort()).toEqual(['error', 'ok'])
    expect(refusals.find(({ status }) => status === 'error')?.data).toMatchObject(shared)
    await admin.ok('update_site', { site: one.oxd_id, redirect_uris: [`${website}/{op}`] })
    await two.accepts({ callback: (response) => response.delete('iss') })
    await wire.ok('get_authorization_url', { oxd_id: one.oxd_id })
  })

  test('end nobody’s logins who was there before, or is the operator’s', async () => {
    using admin = await Wire.connect(daemon.admin_socket)
    const named = await start(silent)
    const add = {
      name: `named-${new URL(named.issuer).port}`,
      op_host: named.issuer,
      client_id: 'issued',
      client_secret: 'of the operator',
      redirect_uris: [`${website}/callback`],
    }
    // Who was there first by itself does not keep the operator's site out, and gives way to it.
    const first = await register(await start(silent))
    const { oxd_id } = await admin.ok('add_site', add)
    await wire.ok('get_authorization_url', { oxd_id })
    const refused = await wire.refused('get_authorization_url', { oxd_id: first.oxd_id })
    expect(refused).toMatchObject(shared)
    expect(JSON.stringify(refused)).not.toContain(new URL(named.issuer).host)
  })
})

describe('M6 another OP’s endpoints in the metadata of Mallory’s', () => {
  test('its token endpoint gets no code of a login there that it knows', async () => {
    const honest = await start()
    const next = await register(honest, '/honest')
    const mallory = await register(await start({ token_endpoint: honest.address('token') }))
    const denied = { error: 'op_error', retryable: false }
    await refuses(mallory, await mallory.begin(), denied, { asked: { token: 1 }, next })
    // That of the honest login.
    expect(honest.access_tokens).toHaveLength(1)
  })

  test('all of its endpoints bring its tokens, which are of no use for a login elsewhere', async () => {
    const honest = await start()
    const copied = ['authorization_endpoint', 'token_endpoint', 'jwks_uri', 'userinfo_endpoint']
    const mallory = await start({
      ...Object.fromEntries(copied.map((name) => [name, honest.metadata[name]])),
      ...silent,
    })
    // A public client of the site's at the honest OP, whose id everybody may know.
    const { client_id } = honest.addClient({
      client_id: 'public',
      token_endpoint_auth_method: 'none',
      redirect_uris: [`${website}/callback`],
    })
    const { oxd_id } = await wire.ok('register_site', {
      op_host: mallory.issuer,
      authorization_redirect_uri: `${website}/callback`,
      client_id,
    })
    const next = await register(honest, '/honest')
    const site = new BentSite(wire, mallory, oxd_id)
    const begin = async (bend?: (response: URLSearchParams) => void) => {
      const { authorization_url, binding } = await wire.ok('get_authorization_url', { oxd_id })
      return { oxd_id, callback: honest.authorize(authorization_url, bend), binding }
    }
    await refuses(site, await begin(), other_op, { next })
    // As from an OP that does not say who it is.
    const begun = await begin((response) => response.delete('iss'))
    const wrong = { error: 'invalid_id_token_bad_issuer' }
    const known = honest.access_tokens.length
    await refuses(site, begun, wrong, { asked: { token: 1 }, next })
    const [brought] = honest.access_tokens.slice(known)
    expect(await wire.refused('get_user_info', { oxd_id, access_token: brought })).toMatchObject({
      error: 'unknown_access_token',
    })
  })
})

describe('S10 a callback at another address of the site', () => {
  test.each([
    ['another path', (url: URL) => `${url.origin}/else${url.search}`],
    ['the path alone', (url: URL) => `/else${url.search}`],
    ['a path that goes on', (url: URL) => `${url.origin}/callback/more${url.search}`],
    ['a path that ends alike', (url: URL) => `${url.origin}/mycallback${url.search}`],
    ['the root', (url: URL) => `/${url.search}`],
  ])('is refused: %s', async (_, moved) => {
    const site = await register(await start())
    const begun = await site.begin()
    const callback = moved(new URL(begun.callback))
    await refuses(site, { ...begun, callback }, other_op)
  })

  test.each([
    ['with a path that a proxy has shortened', (url: URL) => `/callback${url.search}`],
    ['with one that a proxy has made longer', (url: URL) => `/inside${url.pathname}${url.search}`],
    [
      'at the host behind a proxy',
      (url: URL) => `http://127.0.0.1:8080${url.pathname}${url.search}`,
    ],
    ['by its query', (url: URL) => url.search],
    ['by the query’s text', (url: URL) => url.search.slice(1)],
  ])('is good: %s', async (_, passed) => {
    const site = await register(await start(), '/app/callback')
    const begun = await site.begin()
    const callback = passed(new URL(begun.callback))
    await wire.ok('get_tokens_by_callback', { ...begun, callback })
  })

  test('is refused: without what the redirect URI’s own query says', async () => {
    const site = await register(await start(), '/callback?from=op')
    const begun = await site.begin()
    const callback = begun.callback.replace('from=op', 'from=other')
    await refuses(site, { ...begun, callback }, other_op)
  })
})
