/** TCP with TLS 1.3 and client certificates: who gets through a handshake, and for which realm. */
import { constants, type X509Certificate } from 'node:crypto'
import { createServer, type SecureContextOptions, type Server, type TLSSocket } from 'node:tls'
import { isDeepStrictEqual } from 'node:util'
import { type Clock, systemClock } from '../clock.js'
import type { ListenerConfig, TlsConfig } from '../config/config.js'
import type { Log } from '../log.js'
import { Throttle } from '../throttle.js'
import { readTlsFiles, type TlsFiles } from './tls_files.js'

/** Milliseconds from the connection to the end of its handshake. */
const HANDSHAKE = 10_000

/** Refusals that are logged at once, and seconds per further one: a scanner must not fill the disk. */
const LOGGED_AT_ONCE = 20
const LOG_INTERVAL = 60

/** Characters of a certificate's names that a log shows. */
const LOGGED_NAMES = 200

/** The server of a listener, and what it was made of. */
export interface SecureServer {
  server: Server
  /**
   * Reads the files anew.
   *
   * @returns what puts them in place for connections to come, undefined if nothing has changed
   * @throws StartError if a file cannot serve
   */
  reread(): (() => void) | undefined
}

/** A listener that has TLS. */
export type SecureListener = Pick<ListenerConfig, 'name' | 'realm'> & { tls: TlsConfig }

export interface SecureServerOptions {
  log: Log
  clock?: Clock
  /** Milliseconds that a handshake may take. */
  handshake?: number
}

/**
 * A server whose connections have all shown a certificate of `tls_client_ca` that is good now and
 * made for clients.
 *
 * @param accept gets each such connection, with its realm
 * @throws StartError if a file cannot serve
 */
export function secureServer(
  { name, realm, tls }: SecureListener,
  { log, clock = systemClock, handshake = HANDSHAKE }: SecureServerOptions,
  accept: (socket: TLSSocket, realm: string) => void,
): SecureServer {
  const read = (): Pem => {
    const { cert, key, ca, warnings } = readTlsFiles(name, tls, clock())
    for (const warning of warnings) log.warn({ listener: name }, warning)
    return { cert, key, ca }
  }
  let pem = read()
  const refused = refusalLog(name, log, clock)
  const server = createServer({
    ...contextOf(pem),
    requestCert: true,
    rejectUnauthorized: true,
    handshakeTimeout: handshake,
  })
  server.on('secureConnection', (socket) => {
    const certificate = socket.getPeerX509Certificate()
    if (!certificate) {
      refused('no_certificate')
      socket.destroy()
      return
    }
    const chosen = tls.realms ? realmOfCertificate(certificate, tls.realms) : realm
    if (chosen === undefined) {
      refused('name_not_in_certificate_realms', namesOf(certificate))
      socket.destroy()
      return
    }
    // Not before: who goes away in the midst of a handshake would keep its socket until the time is over.
    socket.allowHalfOpen = true
    accept(socket, chosen)
  })
  server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
    refused(reasonOf(error, socket))
    // Node reports a handshake that took too long, and leaves its socket open.
    socket.destroy()
  })
  const reread = () => {
    const found = read()
    if (isDeepStrictEqual(found, pem)) return undefined
    return () => {
      pem = found
      server.setSecureContext(contextOf(found))
    }
  }
  return { server, reread }
}

type Pem = Pick<TlsFiles, 'cert' | 'key' | 'ca'>

function contextOf(pem: Pem): SecureContextOptions {
  return {
    ...pem,
    minVersion: 'TLSv1.3',
    // A resumed session would bring back what its certificate was when it was first shown.
    secureOptions: constants.SSL_OP_NO_TICKET,
  }
}

/**
 * The realm that a certificate's names stand for. OpenSSL compares them, whole and without case, as
 * they are in the certificate: no text is made of them in which a name could pretend to be two.
 *
 * @param realms by name
 * @returns undefined if no name is listed, or names of several realms are
 */
export function realmOfCertificate(
  certificate: X509Certificate,
  realms: ReadonlyMap<string, string>,
): string | undefined {
  // RFC 6125 6.4.4: the CN counts only in a certificate without subjectAltName.
  const subject = certificate.subjectAltName === undefined ? 'default' : 'never'
  const found = new Set<string>()
  for (const [name, realm] of realms) {
    if (certificate.checkHost(name, { subject, wildcards: false }) !== undefined) found.add(realm)
  }
  const [realm, other] = found
  return other === undefined ? realm : undefined
}

/** Names of a code, of Node's or of OpenSSL's verification: never words of the peer's. */
function reasonOf({ code }: NodeJS.ErrnoException, socket: TLSSocket): string {
  // Typed as an error, but a code.
  const reason: unknown = socket.authorizationError ?? code
  return typeof reason === 'string' && /^\w{1,80}$/.test(reason) ? reason : 'unknown'
}

function namesOf({ subjectAltName, subject }: X509Certificate): string {
  return (subjectAltName ?? subject).slice(0, LOGGED_NAMES)
}

function refusalLog(listener: string, log: Log, clock: Clock) {
  const throttle = new Throttle(clock, LOGGED_AT_ONCE, LOG_INTERVAL)
  let unlogged = 0
  return (reason: string, names?: string): void => {
    if (!throttle.take()) {
      unlogged += 1
      return
    }
    log.warn(
      {
        listener,
        reason,
        ...(names !== undefined && { names }),
        ...(unlogged > 0 && { unlogged }),
      },
      'TLS refused',
    )
    unlogged = 0
  }
}
