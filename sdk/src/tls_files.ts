/** The files by which a website and a daemon on another host know each other over TLS. */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { codeOf } from './cfg_file.js'

/** Paths, by their keys in the cfg. */
export interface TlsFiles {
  tls_ca: string
  tls_certificate: string
  tls_key: string
}

/** The keys, in the order in which they are told. */
export const tlsKeys = ['tls_ca', 'tls_certificate', 'tls_key'] as const

/** A file cannot serve; the message names its key, its path and the cure. */
export class TlsFileError extends Error {
  readonly key: keyof TlsFiles

  constructor(key: keyof TlsFiles, path: string, why: string, cause: unknown) {
    super(`${key}: ${path} ${why}`, { cause })
    this.key = key
  }
}

/**
 * @returns what the files hold, in PEM
 * @throws {TlsFileError}
 */
export function readTlsFiles(files: TlsFiles): { ca: string; cert: string; key: string } {
  const read = (key: keyof TlsFiles): string =>
    attempt(
      key,
      (error) => `cannot be read (${codeOf(error)}); correct the path, or let this user read it`,
      () => readFileSync(files[key], 'utf8'),
    )
  function attempt<T>(key: keyof TlsFiles, why: (error: unknown) => string, work: () => T): T {
    try {
      return work()
    } catch (error) {
      throw new TlsFileError(key, files[key], why(error), error)
    }
  }
  const ca = read('tls_ca')
  const cert = read('tls_certificate')
  const key = read('tls_key')
  // Without a certificate in it Node would trust the public CAs, or nobody, and not say so.
  attempt(
    'tls_ca',
    () => "must hold the certificate of the daemon's CA, in PEM",
    () => new X509Certificate(ca),
  )
  attempt(
    'tls_certificate',
    () => "must hold this site's certificate, in PEM",
    () => createSecureContext({ cert }),
  )
  attempt(
    'tls_key',
    () => `must hold the key of ${files.tls_certificate}, in PEM and without a passphrase`,
    () => createSecureContext({ cert, key }),
  )
  return { ca, cert, key }
}
