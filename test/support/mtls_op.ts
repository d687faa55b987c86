/** The embedded OP with a second address, where clients show certificates (RFC 8705 5). */
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Configuration, KoaContextWithOIDC } from 'oidc-provider'
import { type Op, startOp } from '../../demosite/src/op.js'
import type { TestCa } from './certificates.js'

type Clients = NonNullable<Configuration['clients']>

export interface MtlsOp extends AsyncDisposable {
  op: Op
  /** `https://localhost:PORT`. */
  origin: string
  /** What came over each connection: the certificate that it showed, and paths. */
  connections: { certificate: string | undefined; paths: string[] }[]
}

/** @param clients of the OP @param aliases in the place of its own addresses with TLS */
export async function startMtlsOp(
  ca: TestCa,
  clients: Clients,
  aliases?: Record<string, string>,
): Promise<MtlsOp> {
  const server = createServer({
    ...ca.server('localhost'),
    ca: readFileSync(ca.certificate),
    requestCert: true,
    // Certificates that nobody signed are compared with those that were registered.
    rejectUnauthorized: false,
  })
  server.listen(0, 'localhost')
  await once(server, 'listening')
  const origin = `https://localhost:${(server.address() as AddressInfo).port}`
  const op = await startOp({ configuration: configure(clients, aliases ?? at(origin)) })
  const connections = record(server)
  const answer = op.provider.callback()
  server.on('request', (request, response) => void answer(request, response))
  return {
    op,
    origin,
    connections,
    async [Symbol.asyncDispose]() {
      await op.close()
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

function at(origin: string): Record<string, string> {
  return { token_endpoint: `${origin}/token`, userinfo_endpoint: `${origin}/me` }
}

function record(server: Server): MtlsOp['connections'] {
  const connections: MtlsOp['connections'] = []
  server.on('secureConnection', (socket) => {
    const connection = { certificate: pemOf(socket), paths: [] as string[] }
    connections.push(connection)
    socket.on('data', (chunk) => {
      const [, path] = /^[A-Z]+ (\S+) HTTP/.exec(String(chunk)) ?? []
      if (path !== undefined) connection.paths.push(path)
    })
  })
  return connections
}

function configure(clients: Clients, mtls_endpoint_aliases: Record<string, string>): Configuration {
  const socketOf = (ctx: KoaContextWithOIDC) => ctx.socket as TLSSocket
  return {
    clients,
    discovery: { mtls_endpoint_aliases },
    clientAuthMethods: [
      'client_secret_basic',
      'client_secret_jwt',
      'private_key_jwt',
      'tls_client_auth',
      'self_signed_tls_client_auth',
    ],
    enabledJWA: {
      clientAuthSigningAlgValues: ['HS256', 'RS256', 'PS256', 'ES256', 'ES384', 'EdDSA'],
    },
    features: {
      mTLS: {
        enabled: true,
        selfSignedTlsClientAuth: true,
        tlsClientAuth: true,
        getCertificate: (ctx) => pemOf(socketOf(ctx)) as string,
        certificateAuthorized: (ctx) => socketOf(ctx).authorized,
        certificateSubjectMatches: (ctx, property, expected) =>
          property === 'tls_client_auth_subject_dn' &&
          subjectOf(pemOf(socketOf(ctx)) as string) === expected,
      },
    },
  }
}

/** RFC 4514 2.1: the last name first. */
function subjectOf(pem: string): string {
  return new X509Certificate(pem).subject.split('\n').reverse().join(',')
}

function pemOf(socket: TLSSocket): string | undefined {
  return socket.getPeerX509Certificate?.()?.toString()
}
