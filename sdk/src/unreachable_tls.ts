/** Says why the daemon was not reached over TLS, and what to try. */
import { codeOf } from './cfg_file.js'
import { nameOfAddress, placeOf, type TcpAddress } from './site_address.js'
import { TlsFileError, type TlsFiles } from './tls_files.js'

/** Alerts of a peer that does not speak TLS 1.3 (RFC 8446 6.2). */
const version = /ALERT_(PROTOCOL_VERSION|HANDSHAKE_FAILURE)/

/** What OpenSSL says of bytes that are no TLS. */
const notTls =
  /^(EPROTO|ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|RECORD_LAYER_FAILURE))$/

/**
 * @param cause undefined if the connection was closed without a word
 * @returns undefined for troubles that any TCP connection may have
 */
export function whyTlsFailed(
  address: TcpAddress & { tls: TlsFiles },
  cause: Error | undefined,
): string | undefined {
  const { host, tls } = address
  const { tls_ca, tls_certificate } = tls
  const name = nameOfAddress(address)
  if (cause instanceof TlsFileError) return cause.message
  const code = cause ? codeOf(cause) : 'ECONNRESET'
  if (version.test(code)) return `${name} does not speak TLS 1.3; is it relyd's?`
  if (notTls.test(code)) {
    return `${name} does not speak TLS: relyd's listener there needs tls_certificate, or ${placeOf('port', address)} is wrong`
  }
  // A daemon's refusal of a certificate is often seen as the bare end of the connection.
  if (code.includes('ALERT') || code === 'ECONNRESET' || code === 'EPIPE') {
    const alert = code.includes('ALERT') ? ` (${code})` : ''
    return (
      `${name} closed the connection${alert}, most likely because it does not accept the certificate ` +
      `${tls_certificate}: it must be of a CA in the listener's tls_client_ca, not expired, made for ` +
      "client authentication, and named in certificate_realms if that is set; relyd's log has the reason"
    )
  }
  switch (code) {
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return `the certificate of ${name} is not for ${host}; correct ${placeOf('host', address)}, or have the certificate made for that name`
    case 'CERT_HAS_EXPIRED':
    case 'CERT_NOT_YET_VALID':
      return `the certificate of ${name} is not valid now (${code}); renew relyd's tls_certificate, and compare the two hosts' clocks`
    default:
  }
  // Codes of a verification (X509_V_ERR_*) have no prefix of their own.
  if (/^[A-Z_]+$/.test(code) && !/^(E[A-Z]+|EAI_\w+)$/.test(code) && !code.startsWith('ERR_')) {
    return `the certificate of ${name} is not of the CA in ${tls_ca}, or not made for servers (${code}); correct ${placeOf('tls_ca', address)}, unless another program listens there`
  }
  return undefined
}
