/** Sites carried to another host: checked first, all or none, and without their secrets. */
import { generateKeyPairSync } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { BentOp, BentSite, send } from '../support/bent_op/index.js'
import { TestCa } from '../support/certificates.js'
import { relyd } from '../support/cli.js'
import { TestDaemon } from '../support/daemon.js'
import { Wire } from '../support/wire.js'

const redirect_uri = 'https://site.example/callback'
const names = ['blog', 'forum', 'shop']
const secretOf = (name: string) => `marker secret of ${name}`

let op: BentOp
let old: TestDaemon
let daemon: TestDaemon
let exported: string
/** `--secret` of every site. */
let secrets: string[]

beforeAll(async () => {
  // For clients with certificates, of which none calls.
  const tls = 'https://127.0.0.1:1'
  const endpoints = ['token', 'userinfo', 'revocation', 'introspection']
  op = await BentOp.start({
    metadata: {
      mtls_endpoint_aliases: Object.fromEntries(
        endpoints.map((one) => [`${one}_endpoint`, `${tls}/${one}`]),
      ),
    },
  })
  old = await TestDaemon.start()
  using admin = await Wire.connect(old.admin_socket)
  using wire = await Wire.connect(old.socket)
  for (const client_id of names) {
    op.addClient({
      client_id,
      client_secret: secretOf(client_id),
      token_endpoint_auth_method: 'client_secret_basic',
      redirect_uris: [redirect_uri],
    })
    const client = { client_id, client_secret: secretOf(client_id), redirect_uris: [redirect_uri] }
    await admin.ok('add_site', {
      name: client_id,
      op_host: op.issuer,
      ...client,
      scope: ['openid'],
    })
  }
  const own = await BentSite.register(wire, op)
  exported = join(old.folder, 'sites.json')
  const { status, stderr } = await relyd(['sites', 'export', exported, '--config', old.config])
  expect({ status, stderr }).toEqual({
    status: 0,
    stderr: `relyd: 3 sites, without their secrets
relyd: left out 1 site that relyd registered, or that registered themselves, and do so anew: ${own.oxd_id.slice(0, 8)}
`,
  })
  secrets = names.flatMap((name) => {
    const file = join(old.folder, `${name}.secret`)
    writeFileSync(file, secretOf(name), { mode: 0o600 })
    return ['--secret', `${name}=${file}`]
  })
})

beforeEach(async () => {
  daemon = await TestDaemon.start()
})

afterEach(() => daemon[Symbol.asyncDispose]())

afterAll(async () => {
  await old[Symbol.asyncDispose]()
  await op[Symbol.asyncDispose]()
})

function importSites(...more: string[]) {
  return relyd(['sites', 'import', exported, '--json', '--config', daemon.config, ...more])
}

async function outcomes(...more: string[]): Promise<string[]> {
  const { stdout, stderr } = await importSites(...more)
  expect(stderr).toBe('')
  return JSON.parse(stdout).sites.map(
    ({ name, outcome }: Record<string, string>) => `${name} ${outcome}`,
  )
}

async function namesThere(): Promise<string[]> {
  using admin = await Wire.connect(daemon.admin_socket)
  const { sites } = await admin.ok('list_sites')
  return sites.map(({ name }: { name: string }) => name).sort()
}

const added = names.map((name) => `${name} added`)

test('they keep their ids, and log in with the secrets that are given again', async () => {
  expect(readFileSync(exported, 'utf8')).not.toContain('marker')
  const bare = await importSites()
  expect(bare.stderr).toContain('holds no secrets; give those of default/')
  expect(bare.status).toBe(2)
  expect((await outcomes(...secrets, '--dry-run')).sort()).toEqual(added)
  expect(await namesThere()).toEqual([])
  expect((await outcomes(...secrets)).sort()).toEqual(added)
  expect((await outcomes(...secrets)).sort()).toEqual(names.map((name) => `${name} unchanged`))
  using wire = await Wire.connect(daemon.socket)
  for (const { oxd_id } of JSON.parse(readFileSync(exported, 'utf8')).sites) {
    await new BentSite(wire, op, oxd_id).accepts()
  }
})

test('one that cannot be added keeps all out, and every one is told', async () => {
  const file = join(old.folder, 'bad.json')
  const text = JSON.parse(readFileSync(exported, 'utf8'))
  const [first, second] = text.sites
  first.realm = 'nowhere'
  second.issuer = 'https://else.example'
  writeFileSync(file, JSON.stringify(text))
  const refused = await relyd(['sites', 'import', file, '--config', daemon.config, ...secrets])
  expect(refused.stderr).toContain('nothing was added, as 2 of the sites cannot be; the first: ')
  expect(refused.stderr).toContain('no listener of relyd.cfg serves the realm nowhere')
  expect(refused.stderr).not.toContain('marker')
  expect(refused.status).toBe(1)
  expect(await namesThere()).toEqual([])
})

test('what makes a site unsafe is said before it is added, and in the log when it is', async () => {
  const file = join(old.folder, 'tampered.json')
  const text = JSON.parse(readFileSync(exported, 'utf8'))
  text.sites.find(({ name }: { name: string }) => name === 'blog').login_binding = 'none'
  writeFileSync(file, JSON.stringify(text))
  const bring = (...more: string[]) =>
    relyd(['sites', 'import', file, '--config', daemon.config, ...secrets, ...more])
  const warned = /^relyd: WARNING: blog of the realm default has login_binding = none: .*CSRF\n$/
  const logged = () => daemon.log.filter(({ msg }) => msg.includes('login CSRF')).length
  for (const more of [['--dry-run'], ['--dry-run', '--json'], []]) {
    expect(logged()).toBe(0)
    const { status, stderr } = await bring(...more)
    expect({ status, stderr }).toEqual({ status: 0, stderr: expect.stringMatching(warned) })
  }
  await expect.poll(logged).toBe(1)
})

test('a name that is taken by another site keeps all out', async () => {
  using admin = await Wire.connect(daemon.admin_socket)
  const client = { client_id: 'else', client_secret: 'x', redirect_uris: [redirect_uri] }
  await admin.ok('add_site', { name: 'shop', op_host: op.issuer, ...client })
  expect((await importSites(...secrets)).stderr).toContain('name is that of another site')
  expect(await namesThere()).toEqual(['shop'])
})

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const pem = (key: typeof rsa) => key.export({ type: 'pkcs8', format: 'pem' }).toString()

/** A key with its certificate, as files have them. */
function certified(): Record<string, string> {
  using ca = new TestCa()
  const { key, certificate } = ca.issue('site')
  return {
    private_key: readFileSync(key, 'utf8'),
    certificate: readFileSync(certificate, 'utf8'),
  }
}

test.each<[string, object, () => Record<string, string>]>([
  ['none', { auth_method: 'none' }, () => ({})],
  [
    'client_secret_jwt',
    { auth_method: 'client_secret_jwt' },
    () => ({ client_secret: 'x'.repeat(32) }),
  ],
  ['private_key_jwt', { key_id: 'k1', signing_alg: 'PS256' }, () => ({ private_key: pem(rsa) })],
  ['private_key_jwt', {}, () => ({ private_key: JSON.stringify(ec.export({ format: 'jwk' })) })],
  ['apple', { team_id: 'ABCDEFGHIJ', key_id: 'KLMNOPQRST' }, () => ({ private_key: pem(ec) })],
  ['tls_client_auth', { auth_method: 'tls_client_auth' }, certified],
])('%s comes back from an export as it was: %j', async (auth_method, given, secretsOf) => {
  using admin = await Wire.connect(daemon.admin_socket)
  const { certificate, ...secret } = secretsOf()
  const site = {
    name: 'kind',
    op_host: op.issuer,
    client_id: 'kind',
    redirect_uris: [redirect_uri],
  }
  const { oxd_id } = await admin.ok('add_site', { ...site, ...given, ...secret, certificate })
  const { sites } = await admin.ok('export_sites')
  expect(sites).toMatchObject([{ oxd_id, auth_method }])
  for (const one of Object.values(secret)) expect(JSON.stringify(sites)).not.toContain(one)
  const again = { sites: [{ ...sites[0], ...secret }] }
  expect((await admin.ok('import_sites', again)).sites).toMatchObject([{ outcome: 'unchanged' }])
  // On a host that has it not.
  await admin.ok('remove_site', { site: 'kind' })
  using elsewhere = await Wire.connect(old.admin_socket)
  expect((await elsewhere.ok('import_sites', again)).sites).toMatchObject([
    { oxd_id, outcome: 'added' },
  ])
  const there = await elsewhere.ok('export_sites')
  expect(there.sites).toContainEqual(sites[0])
  await elsewhere.ok('remove_site', { site: oxd_id })
})

test('a daemon that is killed half-way has none of them, and the next import brings all', async () => {
  // It waits for the OP in the middle of its checks.
  const asked = new Promise<void>((resolve) => {
    op.bend({ discovery: () => () => resolve() })
  })
  const importing = importSites(...secrets)
  await asked
  await daemon.signal('SIGKILL')
  expect(await importing).toMatchObject({ status: 3, stdout: '' })
  op.straighten()
  await daemon.start()
  expect(await namesThere()).toEqual([])

  // Killed with the answer on its way: they are there all, or none is.
  op.bend({
    discovery: (honest) => (response) => {
      send(response, honest)
      setImmediate(() => void daemon.signal('SIGKILL'))
    },
  })
  await importSites(...secrets)
  op.straighten()
  await daemon.signal('SIGKILL')
  await daemon.start()
  expect([0, names.length]).toContain((await namesThere()).length)
  await outcomes(...secrets)
  expect(await namesThere()).toEqual(names)
})
