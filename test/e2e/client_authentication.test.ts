/** How the daemon authenticates clients that an operator set up: at a real OP, with keys of every kind. */
import { generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ClientCredential, issuedClient } from '../../daemon/src/op/client_credential.js'
import { publicJwks } from '../../daemon/src/op/own_keys.js'
import { hasOpenssl, type Issued, TestCa } from '../support/certificates.js'
import { TestDaemon } from '../support/daemon.js'
import { EndUser } from '../support/end_user.js'
import { type MtlsOp, startMtlsOp } from '../support/mtls_op.js'
import { Scrape } from '../support/scrape.js'
import { Wire } from '../support/wire.js'

const redirect_uri = 'https://site.example/callback'
const client_secret = 'a secret of more than thirty-two bytes'

const keys = {
  RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
  ES384: generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey,
  EdDSA: generateKeyPairSync('ed25519').privateKey,
}

function pem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString()
}

describe.skipIf(!hasOpenssl())('a client that the OP’s operator issued', () => {
  let ca: TestCa
  let other_ca: TestCa
  let credentials: Record<string, ClientCredential>
  let op: MtlsOp
  let daemon: TestDaemon
  let wire: Wire
  const sites: Record<string, string> = {}

  const shows = ({ certificate, key }: Issued) => ({
    certificate: readFileSync(certificate, 'utf8'),
    private_key: readFileSync(key, 'utf8'),
  })

  beforeAll(async () => {
    ca = new TestCa()
    other_ca = new TestCa('/CN=Nobody')
    const jwk = JSON.stringify({ ...keys.ES384.export({ format: 'jwk' }), kid: 'mine' })
    credentials = {
      secret: { method: 'client_secret_basic', client_secret },
      secret_jwt: { method: 'client_secret_jwt', client_secret },
      rsa: { method: 'private_key_jwt', private_key: pem(keys.RS256) },
      pss: { method: 'private_key_jwt', private_key: pem(keys.RS256), alg: 'PS256' },
      jwk: { method: 'private_key_jwt', private_key: jwk },
      ed25519: { method: 'private_key_jwt', private_key: pem(keys.EdDSA), kid: 'edward' },
      tls: {
        method: 'tls_client_auth',
        ...shows(ca.issue('shop', { subject: '/O=Shop/CN=shop' })),
      },
      tls2: { method: 'tls_client_auth', ...shows(ca.issue('blog')) },
      self_signed: {
        method: 'self_signed_tls_client_auth',
        ...shows(other_ca.issue('self')),
      },
      // Signed by a CA that the OP does not know.
      foreign: { method: 'tls_client_auth', ...shows(other_ca.issue('foreign')) },
    }
    // What an operator enters at the OP is what the daemon says of the keys that it has.
    op = await startMtlsOp(
      ca,
      Object.entries(credentials).map(([client_id, credential]) => {
        const { client, secrets } = issuedClient(client_id, credential, Date.now() / 1000)
        const { jwks: _, ...metadata } = client
        const entered = publicJwks({ client }).keys
        return {
          ...metadata,
          ...(secrets.client_secret !== undefined && { client_secret }),
          ...(entered.length > 0 && { jwks: { keys: entered } }),
          redirect_uris: [redirect_uri],
          grant_types: ['authorization_code', 'refresh_token'],
        } as never
      }),
    )
    daemon = new TestDaemon({
      sections: `[realm default]\nallowed_op_hosts = ${new URL(op.origin).host}\n`,
      env: { NODE_EXTRA_CA_CERTS: ca.certificate },
      daemon: { log_level: 'trace' },
    })
    await daemon.start()
    for (const client_id of Object.keys(credentials)) {
      const { status, data } = await addSite(daemon, op.op.issuer, client_id)
      expect({ status, data }).toMatchObject({ status: 'ok', data: { made: true } })
      sites[client_id] = data.oxd_id
    }
    wire = await Wire.connect(daemon.socket)
  }, 30_000)

  afterAll(async () => {
    wire?.[Symbol.dispose]()
    await daemon?.stop()
    // After everything that was done with them.
    const { output } = daemon
    for (const [client_id, credential] of Object.entries(credentials)) {
      const { secrets } = issuedClient(client_id, credential, Date.now() / 1000)
      const { client_private_key = '' } = secrets
      for (const line of client_private_key.split('\n')) {
        if (line !== '' && !line.startsWith('-----')) expect(output).not.toContain(line)
      }
    }
    expect(output).not.toContain(client_secret)
    expect(output).not.toContain('eyJ')
    await daemon?.[Symbol.asyncDispose]()
    await op?.[Symbol.asyncDispose]()
    ca?.[Symbol.dispose]()
    other_ca?.[Symbol.dispose]()
  })

  async function logIn(client_id: string) {
    const oxd_id = sites[client_id] as string
    const login = await wire.ok('get_authorization_url', { oxd_id, prompt: 'consent' })
    const callback = await new EndUser().logIn(login.authorization_url)
    const reply = await wire.call('get_tokens_by_callback', { oxd_id, callback })
    return { oxd_id, reply }
  }

  /** @returns what the OP was asked at the addresses where clients show certificates */
  async function useAll(client_id: string): Promise<string[]> {
    const before = op.connections.length
    const { oxd_id, reply } = await logIn(client_id)
    expect(reply).toMatchObject({ status: 'ok', data: { sub: 'alice' } })
    const { session_id, refresh_token } = reply.data
    expect(await wire.ok('get_user_info', { oxd_id, session_id })).toMatchObject({
      claims: { sub: 'alice' },
    })
    await wire.ok('get_access_token_by_refresh_token', { oxd_id, refresh_token })
    return op.connections.slice(before).flatMap(({ paths }) => paths)
  }

  test.each(['secret', 'secret_jwt', 'rsa', 'pss', 'jwk', 'ed25519'])(
    'P22 %s: logs in, refreshes and asks for claims, at the addresses that are for all',
    async (client_id) => {
      expect(await useAll(client_id)).toEqual([])
    },
  )

  test.each(['tls', 'self_signed'])(
    'P22 oidcc-client-test-mtls-endpoint-aliases %s: logs in, refreshes and asks for claims at the aliases alone',
    async (client_id) => {
      expect(await useAll(client_id)).toEqual(['/token', '/me', '/token'])
    },
  )

  test('P45 S42 a certificate that the OP does not know: its words, and nothing without a certificate', async () => {
    const { reply } = await logIn('foreign')
    expect(reply).toMatchObject({
      status: 'error',
      data: { error: 'op_error', details: { error: 'invalid_client' } },
    })
  })

  test('sites with certificates share no connection, and show none on any other', async () => {
    const before = op.connections.length
    const replies = await Promise.all(['tls', 'tls2', 'secret'].map(logIn))
    for (const { reply } of replies) expect(reply.status).toBe('ok')
    const shown = op.connections.slice(before).map(({ certificate }) => subjectOf(certificate))
    expect(new Set(op.connections.map(({ certificate }) => certificate))).not.toContain(undefined)
    expect(shown).toContain('CN=blog')
    for (const { certificate, paths } of op.connections) {
      if (subjectOf(certificate) === 'CN=blog') expect(paths).toEqual(['/token'])
    }
  })

  test('P29 a public key that was entered at the OP is shown again', async () => {
    using admin = await Wire.connect(daemon.admin_socket)
    const { jwks } = await admin.ok('show_site', { site: 'jwk' })
    expect(jwks).toMatchObject({
      keys: [{ kid: 'mine', alg: 'ES384', crv: 'P-384', use: 'sig' }],
    })
    expect(jwks.keys[0]).not.toHaveProperty('d')
  })

  test.each<[string, (origin: string) => Record<string, string>, string]>([
    ['is not https', () => ({ token_endpoint: 'http://127.0.0.1/token' }), 'invalid_op_metadata'],
    ['is not there, at an OP without TLS', () => ({}), 'invalid_op_metadata'],
    ['is no address', () => ({ token_endpoint: 'localhost' }), 'invalid_op_metadata'],
    ['is in our network', () => ({ token_endpoint: 'https://10.0.0.1/t' }), 'op_host_not_allowed'],
  ])(
    'S42 an alias that %s is an error, and no reason to go elsewhere',
    async (_, aliases, error) => {
      const credential = credentials['tls'] as ClientCredential
      const { client } = issuedClient('tls', credential, Date.now() / 1000)
      const { jwks: _jwks, ...metadata } = client
      await using bad = await startMtlsOp(
        ca,
        [{ ...metadata, redirect_uris: [redirect_uri] } as never],
        aliases(op.origin),
      )
      const before = await daemon.stored()
      const shown = op.connections.length
      const asked = async () => (await Scrape.of(daemon.admin_socket)).value('relyd_op_calls_total')
      const calls = await asked()
      // Already when it is set up.
      const { status, data } = await addSite(daemon, bad.op.issuer, 'tls', 'another')
      expect({ status, data }).toMatchObject({ status: 'error', data: { error } })
      // Its metadata and its keys alone.
      expect(await asked()).toBe(calls + 2)
      expect([bad.connections, op.connections.slice(shown)]).toEqual([[], []])
      expect(await daemon.stored()).toEqual(before)
      expect(JSON.stringify(data)).not.toContain('PRIVATE KEY')
      expect((await logIn('tls')).reply).toMatchObject({ status: 'ok', data: { sub: 'alice' } })
    },
  )

  /** As `relyd sites add` does. */
  async function addSite(to: TestDaemon, op_host: string, client_id: string, name = client_id) {
    using admin = await Wire.connect(to.admin_socket)
    const { method, ...given } = credentials[client_id] as ClientCredential
    const { kid, alg, ...rest } = given as { kid?: string; alg?: string }
    return await admin.call('add_site', {
      name,
      op_host,
      client_id,
      auth_method: method,
      ...rest,
      ...(kid !== undefined && { key_id: kid }),
      ...(alg !== undefined && { signing_alg: alg }),
      redirect_uris: [redirect_uri],
      scope: ['openid', 'offline_access'],
      login_binding: 'none',
    })
  }
})

function subjectOf(certificate: string | undefined): string {
  return certificate === undefined ? 'nobody' : new X509Certificate(certificate).subject
}
