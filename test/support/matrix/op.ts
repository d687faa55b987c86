/** oidc-provider with all that it offers of algorithms, response types and modes. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { type Op, startOp } from '../../../demosite/src/op.js'

/** ML-DSA is left out, which it offers on newer Nodes alone (and OIDC nowhere yet). */
const signing = [
  ...['HS256', 'HS384', 'HS512', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'Ed25519', 'EdDSA'],
] as const

const encryption = [
  ...['RSA-OAEP', 'RSA-OAEP-256', 'RSA-OAEP-384', 'RSA-OAEP-512'],
  ...['ECDH-ES', 'ECDH-ES+A128KW', 'ECDH-ES+A192KW', 'ECDH-ES+A256KW'],
  ...['A128KW', 'A192KW', 'A256KW', 'A128GCMKW', 'A192GCMKW', 'A256GCMKW', 'dir'],
] as const

const content = [
  ...['A128CBC-HS256', 'A192CBC-HS384', 'A256CBC-HS512', 'A128GCM', 'A192GCM', 'A256GCM'],
] as const

/** Its metadata (OIDC Discovery 3), as far as the matrix goes by it. */
export interface Offer {
  token_endpoint_auth_methods_supported: string[]
  token_endpoint_auth_signing_alg_values_supported: string[]
  id_token_signing_alg_values_supported: string[]
  id_token_encryption_alg_values_supported: string[]
  id_token_encryption_enc_values_supported: string[]
  userinfo_signing_alg_values_supported: string[]
  userinfo_encryption_alg_values_supported: string[]
  userinfo_encryption_enc_values_supported: string[]
  response_types_supported: string[]
  response_modes_supported: string[]
}

export async function startMatrixOp(): Promise<Op & { offer: Offer }> {
  const op = await startOp({
    configuration: {
      jwks: {
        keys: [
          jwkOf('rsa', generateKeyPairSync('rsa', { modulusLength: 2048 })),
          jwkOf('p256', generateKeyPairSync('ec', { namedCurve: 'P-256' })),
          jwkOf('p384', generateKeyPairSync('ec', { namedCurve: 'P-384' })),
          jwkOf('p521', generateKeyPairSync('ec', { namedCurve: 'P-521' })),
          jwkOf('ed25519', generateKeyPairSync('ed25519')),
        ],
      },
      responseTypes: [
        ...(['code', 'id_token', 'code id_token', 'none'] as const),
        ...(['id_token token', 'code token', 'code id_token token'] as const),
      ],
      clientAuthMethods: [
        'none',
        'client_secret_basic',
        'client_secret_post',
        'client_secret_jwt',
        'private_key_jwt',
      ],
      enabledJWA: {
        clientAuthSigningAlgValues: [...signing],
        idTokenSigningAlgValues: [...signing],
        userinfoSigningAlgValues: [...signing],
        idTokenEncryptionAlgValues: [...encryption],
        userinfoEncryptionAlgValues: [...encryption],
        idTokenEncryptionEncValues: [...content],
        userinfoEncryptionEncValues: [...content],
      },
      features: {
        encryption: { enabled: true },
        jwtUserinfo: { enabled: true },
      },
    },
  })
  const response = await fetch(`${op.issuer}/.well-known/openid-configuration`)
  return { ...op, offer: (await response.json()) as Offer }
}

function jwkOf(kid: string, { privateKey }: { privateKey: KeyObject }) {
  const jwk = privateKey.export({ format: 'jwk' }) as { kty: string }
  return { ...jwk, kid, use: 'sig' as const }
}
