/**
 * An OP that costs little and asks nobody: metadata, keys and a token endpoint. It has no pages,
 * since its codes carry the nonce and the PKCE challenge (see callback.ts). A process of its own.
 */
import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { website } from './side.js'

const KID = 'bench'
const LIFETIME = 3600

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const header = encode({ alg: 'RS256', kid: KID, typ: 'JWT' })
const credentials = [website.client_id, website.client_secret].map(encodeURIComponent).join(':')
const authorization = `Basic ${Buffer.from(credentials).toString('base64')}`

const server = createServer((request, response) => {
  answer(request).then(
    (body) => send(response, 200, body),
    (error: Error) =>
      send(response, 400, { error: 'invalid_request', error_description: error.message }),
  )
})
// Longer than any pause between rounds, for both sides' connections.
server.keepAliveTimeout = 120_000
server.listen(0, '127.0.0.1', () => process.send?.(issuer()))
process.once('disconnect', () => process.exit())

function issuer(): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function answer(request: IncomingMessage): Promise<object> {
  switch (request.url) {
    case '/.well-known/openid-configuration':
      return metadata()
    case '/jwks':
      return {
        keys: [{ ...publicKey.export({ format: 'jwk' }), kid: KID, use: 'sig', alg: 'RS256' }],
      }
    case '/token':
      return tokens(request)
    default:
      throw new Error('there is no such endpoint')
  }
}

/** OIDC Discovery 3. */
function metadata(): object {
  return {
    issuer: issuer(),
    authorization_endpoint: `${issuer()}/authorize`,
    token_endpoint: `${issuer()}/token`,
    jwks_uri: `${issuer()}/jwks`,
    response_types_supported: ['code'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
    token_endpoint_auth_methods_supported: ['client_secret_basic'],
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
  }
}

/** OIDC Core 3.1.3. Client and PKCE are checked, so that neither side can leave them out. */
async function tokens(request: IncomingMessage): Promise<object> {
  const form = new URLSearchParams(await read(request))
  const [nonce, challenge] = form.get('code')?.split('.') ?? []
  const hash = createHash('sha256').update(form.get('code_verifier') ?? '')
  if (request.headers.authorization !== authorization) throw new Error('another client')
  if (hash.digest('base64url') !== challenge) throw new Error('another code_verifier')
  const iat = Math.floor(Date.now() / 1000)
  const claims = {
    iss: issuer(),
    sub: 'end-user',
    aud: website.client_id,
    iat,
    exp: iat + LIFETIME,
    nonce,
  }
  const signed = `${header}.${encode(claims)}`
  return {
    // Different for each login, as the store expects.
    access_token: `access-token-${nonce}`,
    token_type: 'Bearer',
    expires_in: LIFETIME,
    id_token: `${signed}.${sign('sha256', Buffer.from(signed), privateKey).toString('base64url')}`,
  }
}

async function read(request: IncomingMessage): Promise<string> {
  let body = ''
  for await (const chunk of request.setEncoding('latin1')) body += chunk
  return body
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url')
}
