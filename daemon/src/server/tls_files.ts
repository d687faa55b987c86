/** The files of a TLS listener: reads them, and says in an operator's words what is wrong with them. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import type { Seconds } from '../clock.js'
import type { TlsConfig } from '../config/config.js'
import { OpenToOthersError, readSecretFile } from '../secret_file.js'
import { StartError } from '../start_error.js'

/** What a listener is made of, in PEM, and what an operator wants to know of it. */
export interface TlsFiles {
  cert: string
  key: string
  ca: string
  /** The certificate's names, as OpenSSL writes them. */
  names: string
  /** The certificate's last day, as 2027-01-31. */
  valid_until: string
  /** Certificates that will need the operator soon. */
  warnings: string[]
}

const DAY = 24 * 60 * 60

/** Seconds before its end at which a certificate is warned about. */
const SOON = 30 * DAY

/**
 * @param listener its name
 * @throws StartError naming the listener, the option, the file and the cure
 */
export function readTlsFiles(listener: string, tls: TlsConfig, now: Seconds): TlsFiles {
  const certificate_file = new PemFile(listener, 'tls_certificate', tls.certificate)
  const key_file = new PemFile(listener, 'tls_key', tls.key)
  const ca_file = new PemFile(listener, 'tls_client_ca', tls.client_ca)

  const cert = certificate_file.read()
  const [certificate] = certificate_file.certificates(cert)
  const { unusable, warning } = validityOf(certificate, now)
  if (unusable) throw certificate_file.fault(`${unusable}; renew it`)
  const warnings = warning ? [certificate_file.tell(`${warning}; renew it`)] : []

  const key = key_file.readSecret()
  if (!certificate.checkPrivateKey(key_file.privateKey(key))) {
    const why = `is not the key of ${tls.certificate}; give the two that were made together`
    throw key_file.fault(why)
  }

  const ca = ca_file.read()
  const cas = ca_file.certificates(ca).map((one) => validityOf(one, now))
  // While one CA takes another's place, the file may hold both.
  if (cas.every((one) => one.unusable)) {
    throw ca_file.fault(`${cas[0]?.unusable}; no client could connect; renew it`)
  }
  for (const { unusable: gone, warning: soon = gone } of cas) {
    if (soon) warnings.push(ca_file.tell(`${soon}; renew it`))
  }

  try {
    createSecureContext({ cert, key, ca, minVersion: 'TLSv1.3' })
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException
    throw certificate_file.fault(`or its key or CA is refused by OpenSSL (${code})`)
  }
  return {
    cert,
    key,
    ca,
    names: certificate.subjectAltName ?? certificate.subject.replaceAll('\n', ', '),
    valid_until: dayOf(Date.parse(certificate.validTo) / 1000),
    warnings,
  }
}

/** A file of an option, and what is wrong with it. */
class PemFile {
  readonly #listener: string
  readonly #option: string
  readonly #path: string

  constructor(listener: string, option: string, path: string) {
    this.#listener = listener
    this.#option = option
    this.#path = path
  }

  tell(what: string): string {
    return `${this.#option}: ${this.#path} ${what}`
  }

  fault(why: string): StartError {
    return new StartError(`[listener ${this.#listener}] ${this.tell(why)}`)
  }

  read(): string {
    try {
      return readFileSync(this.#path, 'utf8')
    } catch (error) {
      throw this.#unreadable(error)
    }
  }

  readSecret(): string {
    try {
      return readSecretFile(this.#path)
    } catch (error) {
      if (!(error instanceof OpenToOthersError)) throw this.#unreadable(error)
      throw new StartError(`[listener ${this.#listener}] ${this.#option}: ${error.message}`)
    }
  }

  privateKey(pem: string): KeyObject {
    try {
      return createPrivateKey(pem)
    } catch {
      // Nobody is there to type a passphrase when the daemon starts.
      const encrypted = /^(-----BEGIN ENCRYPTED|Proc-Type: .*ENCRYPTED)/m.test(pem)
      const cure = `take its passphrase away: openssl pkey -in ${this.#path} -out NEW`
      throw this.fault(encrypted ? `is encrypted; ${cure}` : 'is not a private key in PEM')
    }
  }

  /** @returns at least one, in the file's order */
  certificates(pem: string): [X509Certificate, ...X509Certificate[]] {
    const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? []
    let all: X509Certificate[]
    try {
      all = blocks.map((block) => new X509Certificate(block))
    } catch {
      throw this.fault('holds a certificate that cannot be read; write it anew, in PEM')
    }
    const [first, ...others] = all
    if (!first) throw this.fault('holds no certificate in PEM')
    return [first, ...others]
  }

  #unreadable(error: unknown): StartError {
    const { code } = error as NodeJS.ErrnoException
    return this.fault(
      code === 'ENOENT'
        ? 'is not there; make it, or correct the path'
        : `cannot be read (${code}); let the daemon's user read it`,
    )
  }
}

/** Whether a certificate is good now, in words that follow a file's name. */
function validityOf(
  { validFrom, validTo }: X509Certificate,
  now: Seconds,
): { unusable?: string; warning?: string } {
  const [from, to] = [Date.parse(validFrom) / 1000, Date.parse(validTo) / 1000]
  if (now < from) return { unusable: `is not valid before ${dayOf(from)}` }
  if (now >= to) return { unusable: `has expired on ${dayOf(to)}` }
  return to - now < SOON ? { warning: `expires on ${dayOf(to)}` } : {}
}

function dayOf(time: Seconds): string {
  return new Date(time * 1000).toISOString().slice(0, 10)
}
