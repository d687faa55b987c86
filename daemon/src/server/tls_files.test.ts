/** The files of a TLS listener: what is wrong with one is told with listener, option, file and cure. */
import { execFileSync } from 'node:child_process'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hasOpenssl, type Issued, TestCa } from '../../../test/support/certificates.js'
import type { TlsConfig } from '../config/config.js'
import { StartError } from '../start_error.js'
import { readTlsFiles } from './tls_files.js'

const DAY = 24 * 60 * 60

describe.skipIf(!hasOpenssl())('the files of a listener', () => {
  let ca: TestCa
  let server: Issued
  let now: number

  beforeAll(() => {
    ca = new TestCa()
    server = ca.issue('server', { san: 'DNS:relyd.example, IP:127.0.0.1' })
    now = Math.floor(Date.now() / 1000)
  })

  afterAll(() => ca[Symbol.dispose]())

  function read(files: Partial<TlsConfig>, at = now) {
    const good = { ...server, client_ca: ca.certificate, realms: undefined }
    return readTlsFiles('remote', { ...good, ...files }, at)
  }

  function refusal(files: Partial<TlsConfig>, at = now): string {
    try {
      read(files, at)
    } catch (error) {
      if (error instanceof StartError) return error.message
      throw error
    }
    throw new Error('not refused')
  }

  function file(name: string, text: string, mode = 0o600): string {
    const path = join(ca.folder, name)
    writeFileSync(path, text)
    chmodSync(path, mode)
    return path
  }

  test('are read, with what an operator wants to know of them', () => {
    const { cert, key, ca: client_ca, ...rest } = read({})
    expect(cert).toBe(readFileSync(server.certificate, 'utf8'))
    expect(key).toBe(readFileSync(server.key, 'utf8'))
    expect(client_ca).toBe(readFileSync(ca.certificate, 'utf8'))
    expect(rest).toEqual({
      names: 'DNS:relyd.example, IP Address:127.0.0.1',
      valid_until: expect.stringMatching(/^\d{4}-\d\d-\d\d$/),
      warnings: [],
    })
  })

  test.each(['certificate', 'key', 'client_ca'] as const)(
    '%s that is not there is named',
    (one) => {
      const path = join(ca.folder, 'none')
      expect(refusal({ [one]: path })).toBe(
        `[listener remote] tls_${one}: ${path} is not there; make it, or correct the path`,
      )
    },
  )

  test('a folder is none of them', () => {
    expect(refusal({ client_ca: ca.folder })).toMatch(/tls_client_ca: .*cannot be read \(EISDIR\)/)
  })

  test.each([0o640, 0o604, 0o644])(
    'a key of mode %o is refused in the words of the store’s key',
    (mode) => {
      const key = file('open.key', readFileSync(server.key, 'utf8'), mode)
      expect(refusal({ key })).toBe(
        `[listener remote] tls_key: ${key} is open to other users (mode 0${mode.toString(8)}); run: chmod 600 ${key}`,
      )
    },
  )

  test('a key that is none is refused, and nothing of it shown', () => {
    const key = file(
      'broken.key',
      '-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----\n',
    )
    expect(refusal({ key })).toBe(`[listener remote] tls_key: ${key} is not a private key in PEM`)
  })

  test('a key with a passphrase is refused with the command that takes it away', () => {
    const key = file('encrypted.key', '')
    execFileSync('openssl', [
      'pkey',
      '-in',
      server.key,
      '-aes128',
      '-passout',
      'pass:x',
      '-out',
      key,
    ])
    expect(refusal({ key })).toContain(
      `${key} is encrypted; take its passphrase away: openssl pkey -in ${key} -out NEW`,
    )
  })

  test("another certificate's key is refused", () => {
    const { key } = ca.issue('other')
    expect(refusal({ key })).toContain(`tls_key: ${key} is not the key of ${server.certificate}`)
  })

  test.each(['', 'words', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'])(
    'a file with %j is no certificate',
    (text) => {
      const path = file('broken.crt', text)
      expect(refusal({ certificate: path })).toMatch(/tls_certificate: .*broken\.crt holds /)
      // Node would take an empty one for "no CA given", and trust the public ones.
      expect(refusal({ client_ca: path })).toMatch(/tls_client_ca: .*broken\.crt holds /)
    },
  )

  test('an expired certificate is refused, and one of tomorrow too', () => {
    expect(refusal({}, now + 101 * DAY)).toMatch(
      /tls_certificate: .*server\.crt has expired on \d{4}-\d\d-\d\d; renew it$/,
    )
    expect(refusal({}, now - 2 * DAY)).toMatch(/server\.crt is not valid before .*; renew it$/)
  })

  test('one that expires within 30 days is warned about', () => {
    expect(read({}, now + 69 * DAY).warnings).toEqual([])
    const [certificate, client_ca, ...others] = read({}, now + 71 * DAY).warnings
    expect(certificate).toMatch(/^tls_certificate: .*server\.crt expires on .*; renew it$/)
    expect(client_ca).toMatch(/^tls_client_ca: .*ca\.crt expires on .*; renew it$/)
    expect(others).toEqual([])
  })

  test('an expired CA may stand beside its successor, not alone', () => {
    const old = ca.issue('old_ca', { days: [-9, -1] }).certificate
    expect(refusal({ client_ca: old })).toMatch(
      /has expired on .*; no client could connect; renew it/,
    )
    const both = file('both.crt', readFileSync(old, 'utf8') + readFileSync(ca.certificate, 'utf8'))
    expect(read({ client_ca: both }).warnings).toEqual([
      expect.stringMatching(/^tls_client_ca: .*both\.crt has expired on .*; renew it$/),
    ])
  })
})
