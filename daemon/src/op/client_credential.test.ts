/** What operators give by mistake, and the words that help them; good credentials log in at an OP in test/e2e. */
import { execFileSync } from 'node:child_process'
import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { calculateJwkThumbprint } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hasOpenssl, TestCa } from '../../../test/support/certificates.js'
import { CommandError } from '../errors.js'
import { expiryOf, pemOf } from './client_certificate.js'
import { type ClientCredential, issuedClient } from './client_credential.js'
import { publicJwks } from './own_keys.js'

const now = Math.floor(Date.now() / 1000)
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const ed25519 = generateKeyPairSync('ed25519')

function pem(key: KeyObject, type: 'pkcs8' | 'pkcs1' | 'sec1' = 'pkcs8'): string {
  return key.export({ type, format: 'pem' } as { type: 'pkcs8'; format: 'pem' }).toString()
}

/** The refusal, which quotes nothing of what was given. */
function refusal(credential: ClientCredential): { field: unknown; message: string } {
  try {
    issuedClient('issued', credential, now)
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
    expect(error.code).toBe('invalid_request')
    for (const given of Object.values(credential)) {
      if (given && given.length > 80) expect(error.message).not.toContain(given.slice(40, 60))
    }
    return { field: error.details?.['field'], message: error.message }
  }
  throw new Error('not refused')
}

const jwt = (private_key: string, more: object = {}): ClientCredential => ({
  method: 'private_key_jwt',
  private_key,
  ...more,
})

describe('a private key', () => {
  test.each<[what: string, text: () => string, words: string]>([
    ['nothing', () => '', 'holds neither a PEM block nor a JWK'],
    ['the public key', () => publicPem(rsa.publicKey), 'holds a PUBLIC KEY'],
    ['a damaged PEM', () => pem(rsa.privateKey).replace('MII', 'MIX'), 'openssl pkey'],
    [
      'an encrypted key',
      () =>
        rsa.privateKey
          .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' })
          .toString(),
      'openssl pkey -in FILE -out',
    ],
    [
      'an encrypted key of the old kind',
      () =>
        rsa.privateKey
          .export({ type: 'pkcs1', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' })
          .toString(),
      'openssl pkey -in FILE -out',
    ],
    ['an OpenSSH key', () => '-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNz', 'ssh-keygen'],
    ['half a JWK', () => '{"kty":"RSA"', 'is not JSON'],
    [
      'a public JWK',
      () => JSON.stringify(rsa.publicKey.export({ format: 'jwk' })),
      'is a public JWK',
    ],
    ['a set of keys', () => '{"keys":[]}', 'the one JWK'],
    ['a shared secret', () => '{"kty":"oct","k":"c2VjcmV0"}', 'client_secret'],
    ['no key at all in a JWK', () => '{"kty":"EC","crv":"P-256","d":"AA"}', 'can be read'],
    ['null', () => '{"d":null}', 'is a public JWK'],
    [
      'a short RSA key',
      () => pem(generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey),
      '1024 bits; make one of 2048',
    ],
    [
      'a curve of nobody',
      () => pem(generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey),
      'unsuitable kind',
    ],
    ['a key that cannot sign', () => pem(generateKeyPairSync('x25519').privateKey), 'unsuitable'],
  ])('is refused where it is %s', (_, text, words) => {
    const { field, message } = refusal(jwt(text()))
    expect(field).toBe('private_key')
    expect(message).toContain(words)
  })

  test.each([
    [rsa.privateKey, 'ES256', 'RS256 or RS384'],
    [p256.privateKey, 'RS256', 'must be ES256'],
    [p256.privateKey, 'ES384', 'must be ES256'],
    [ed25519.privateKey, 'RS256', 'EdDSA or Ed25519'],
    [rsa.privateKey, 'none', 'RS256'],
    [rsa.privateKey, 'HS256', 'RS256'],
  ])('fits its algorithm', (key, alg, words) => {
    const { field, message } = refusal(jwt(pem(key), { alg }))
    expect(field).toBe('signing_alg')
    expect(message).toContain(words)
  })

  test.each<[KeyObject, 'pkcs8' | 'pkcs1' | 'sec1', alg: string]>([
    [rsa.privateKey, 'pkcs8', 'RS256'],
    [rsa.privateKey, 'pkcs1', 'RS256'],
    [p256.privateKey, 'sec1', 'ES256'],
    [ed25519.privateKey, 'pkcs8', 'EdDSA'],
  ])('may be of any usual kind (%#)', async (key, type, alg) => {
    const { client, secrets } = issuedClient('issued', jwt(`\n${pem(key, type)}\n`), now)
    const [jwk] = publicJwks({ client }).keys
    const kid = await calculateJwkThumbprint(key.export({ format: 'jwk' }) as never)
    expect(jwk).toMatchObject({ kid, alg, use: 'sig' })
    for (const secret of ['d', 'p', 'q', 'dp', 'dq', 'qi']) expect(jwk).not.toHaveProperty(secret)
    // Stored in one form, whatever it came in.
    expect(secrets.client_private_key).toBe(pem(key))
    expect(client.token_endpoint_auth_signing_alg).toBe(alg)
  })

  test('is known as its JWK says, unless the operator says otherwise', () => {
    const text = JSON.stringify({
      ...rsa.privateKey.export({ format: 'jwk' }),
      kid: 'a',
      alg: 'PS256',
    })
    expect(publicJwks(issuedClient('x', jwt(text), now)).keys).toMatchObject([
      { kid: 'a', alg: 'PS256' },
    ])
    const given = jwt(text, { kid: 'b', alg: 'RS512' })
    expect(publicJwks(issuedClient('x', given, now)).keys).toMatchObject([
      { kid: 'b', alg: 'RS512' },
    ])
  })
})

describe('a secret', () => {
  test.each([
    ['client_secret_basic', '', 'is empty'],
    ['client_secret_post', 'a\nb', 'more than one line'],
    ['client_secret_jwt', 'only thirty-one bytes are here.', 'less than 32 bytes'],
  ] as const)('%s is refused', (method, client_secret, words) => {
    const { field, message } = refusal({ method, client_secret })
    expect([field, message.includes(words)]).toEqual(['client_secret', true])
  })

  test('a client needs an id', () => {
    expect(() => issuedClient('', { method: 'none' }, now)).toThrow('client_id is empty')
  })
})

describe('Apple', () => {
  const apple = { method: 'apple', team_id: 'TEAMID1234', kid: 'KEYID12345' } as const

  test.each([
    ['team_id', { ...apple, team_id: 'com.example', private_key: pem(p256.privateKey) }],
    ['key_id', { ...apple, kid: 'AuthKey_KEYID12345.p8', private_key: pem(p256.privateKey) }],
    ['private_key', { ...apple, private_key: pem(rsa.privateKey) }],
  ] as const)('%s is what Apple gave', (field, credential) => {
    expect(refusal(credential).field).toBe(field)
  })

  test('the team and the key’s id may be shown, the key not', () => {
    const { client, secrets } = issuedClient(
      'x',
      { ...apple, private_key: pem(p256.privateKey) },
      now,
    )
    expect(client).toMatchObject({
      token_endpoint_auth_method: 'client_secret_post',
      apple_team_id: 'TEAMID1234',
    })
    expect(Object.keys(secrets)).toEqual(['client_private_key'])
  })
})

describe.skipIf(!hasOpenssl())('a certificate', () => {
  let ca: TestCa
  let folder: string

  beforeAll(() => {
    ca = new TestCa()
    folder = mkdtempSync(join(tmpdir(), 'relyd-credential-'))
  })

  afterAll(() => {
    ca[Symbol.dispose]()
    rmSync(folder, { recursive: true })
  })

  function given(
    name: string,
    days?: [number, number],
  ): { certificate: string; private_key: string } {
    const { certificate, key } = ca.issue(name, days ? { days } : {})
    return {
      certificate: readFileSync(certificate, 'utf8'),
      private_key: readFileSync(key, 'utf8'),
    }
  }

  const tls = (one: { certificate: string; private_key: string }): ClientCredential => ({
    method: 'tls_client_auth',
    ...one,
  })

  test('is refused where it will not do', () => {
    const good = given('good')
    const words: [ClientCredential, string][] = [
      [tls({ ...good, certificate: given('other').certificate }), 'does not belong to private_key'],
      [tls(given('old', [-10, -1])), 'expired on'],
      [tls(given('new', [1, 10])), 'is not valid before'],
      [tls({ ...good, certificate: good.private_key }), 'holds no PEM block CERTIFICATE'],
      [tls({ ...good, certificate: good.certificate.replace('MII', 'MIX') }), 'openssl x509'],
      [tls({ ...good, certificate: good.certificate.repeat(11) }), 'more than 10'],
      // The CA's first: it is not its key.
      [
        tls({ ...good, certificate: readFileSync(ca.certificate, 'utf8') + good.certificate }),
        'must come first',
      ],
    ]
    for (const [credential, part] of words) {
      const { field, message } = refusal(credential)
      expect([field, message]).toEqual(['certificate', expect.stringContaining(part)])
    }
  })

  test('comes out of what is stored as it went in, with those that lead to its CA', () => {
    const one = given('chain')
    const chain = one.certificate + readFileSync(ca.certificate, 'utf8')
    const { client, secrets } = issuedClient('x', tls({ ...one, certificate: chain }), now)
    const x5c = client.jwks?.keys[0]?.x5c as string[]
    expect(pemOf(x5c)).toBe(chain)
    expect(expiryOf(x5c)).toBeGreaterThan(now + 90 * 24 * 60 * 60)
    expect(client['tls_client_auth_subject_dn']).toBe('CN=chain')
    expect(createPrivateKey(secrets.client_private_key as string).asymmetricKeyType).toBe('ec')
  })

  test('is named in a client assertion where the OP knows the key by it', () => {
    const one = given('entra')
    const { client } = issuedClient(
      'x',
      jwt(one.private_key, { certificate: one.certificate }),
      now,
    )
    const der = execFileSync('openssl', ['x509', '-outform', 'der'], { input: one.certificate })
    const sha256 = execFileSync('openssl', ['dgst', '-sha256', '-binary'], { input: der })
    expect(publicJwks({ client }).keys).toMatchObject([
      { 'x5t#S256': sha256.toString('base64url') },
    ])
  })
})

function publicPem(key: KeyObject): string {
  return key.export({ type: 'spki', format: 'pem' }).toString()
}
