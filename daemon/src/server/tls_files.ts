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
  const warnings: string[] = []
  const fail = (option: string, path: string, why: string): never => {
    throw new StartError(`[listener ${listener}] ${option}: ${path} ${why}`)
  }

  const cert = read(tls.certificate, (why) => fail('tls_certificate', tls.certificate, why))
  const [certificate] = parse(cert, (why) => fail('tls_certificate', tls.certificate, why))
  const validity = validityOf(certificate, now)
  if (validity.unusable) {
    fail('tls_certificate', tls.certificate, `${validity.unusable}; renew it`)
  }
  if (validity.warning) {
    warnings.push(`tls_certificate: ${tls.certificate} ${validity.warning}; renew it`)
  }

  const key = readKey(tls.key, (why) => fail('tls_key', tls.key, why))
  if (!certificate.checkPrivateKey(key.object)) {
    fail(
      'tls_key',
      tls.key,
      `is not the key of ${tls.certificate}; give the two that were made together`,
    )
  }

  const ca = read(tls.client_ca, (why) => fail('tls_client_ca', tls.client_ca, why))
  const cas = parse(ca, (why) => fail('tls_client_ca', tls.client_ca, why)).map((one) =>
    validityOf(one, now),
  )
  const [unusable] = cas.flatMap((one) => one.unusable ?? [])
  // While one CA takes another's place, the file may hold both.
  if (unusable !== undefined && cas.every((one) => one.unusable)) {
    fail('tls_client_ca', tls.client_ca, `${unusable}; no client could connect; renew it`)
  }
  for (const { unusable, warning = unusable } of cas) {
    if (warning) warnings.push(`tls_client_ca: ${tls.client_ca} ${warning}; renew it`)
  }

  try {
    createSecureContext({ cert, key: key.pem, ca, minVersion: 'TLSv1.3' })
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException
    fail('tls_certificate', tls.certificate, `or its key or CA is refused by OpenSSL (${code})`)
  }
  return {
    cert,
    key: key.pem,
    ca,
    names: certificate.subjectAltName ?? certificate.subject.replaceAll('\n', ', '),
    valid_until: dayOf(Date.parse(certificate.validTo) / 1000),
    warnings,
  }
}

type Fail = (why: string) => never

function read(path: string, fail: Fail): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    return fail(whyUnreadable(error))
  }
}

function readKey(path: string, fail: Fail): { pem: string; object: KeyObject } {
  let pem: string
  try {
    pem = readSecretFile(path)
  } catch (error) {
    if (error instanceof OpenToOthersError) return fail(error.message.slice(path.length + 1))
    return fail(whyUnreadable(error))
  }
  try {
    return { pem, object: createPrivateKey(pem) }
  } catch {
    // Nobody is there to type a passphrase when the daemon starts.
    if (/^(-----BEGIN ENCRYPTED|Proc-Type: .*ENCRYPTED)/m.test(pem)) {
      return fail(`is encrypted; take its passphrase away: openssl pkey -in ${path} -out NEW`)
    }
    return fail('is not a private key in PEM')
  }
}

function whyUnreadable(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException
  return code === 'ENOENT'
    ? 'is not there; make it, or correct the path'
    : `cannot be read (${code}); let the daemon's user read it`
}

/** @returns at least one, in the file's order */
function parse(pem: string, fail: Fail): [X509Certificate, ...X509Certificate[]] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? []
  try {
    const [first, ...others] = blocks.map((block) => new X509Certificate(block))
    if (first) return [first, ...others]
  } catch {
    return fail('holds a certificate that cannot be read; write it anew, in PEM')
  }
  return fail('holds no certificate in PEM')
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
