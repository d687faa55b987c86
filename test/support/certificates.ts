/**
 * A CA of a test's own, by the openssl command, which operators use too: certificates in every way
 * wrong are made as they would make them, and no package is needed.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { required } from './required.js'

const DAY = 24 * 60 * 60 * 1000

/** A certificate and its key, as paths of PEM files. */
export interface Issued {
  certificate: string
  key: string
}

export interface Wanted {
  /** `/CN=` and so on; `/CN=` and the file's name, if absent. */
  subject?: string
  /** As openssl writes it: `DNS:a.example, IP:127.0.0.1`; no extension, if absent. */
  san?: string
  /** extendedKeyUsage. */
  usage?: 'clientAuth' | 'serverAuth'
  /** Days from now; 1 before now and 100 after, if absent. */
  days?: [from: number, to: number]
}

const CONFIG = `
[ca]
default_ca = it
[it]
dir = .
certificate = ca.crt
private_key = ca.key
new_certs_dir = .
database = index
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
x509_extensions = none
[any]
commonName = optional
organizationName = optional
[none]
[req]
distinguished_name = dn
[dn]
`

export class TestCa implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'relyd-ca-'))
  readonly certificate = join(this.folder, 'ca.crt')

  constructor(subject = '/CN=Test CA') {
    writeFileSync(join(this.folder, 'config'), CONFIG)
    writeFileSync(join(this.folder, 'index'), '')
    this.#key('ca')
    this.#openssl(
      'req',
      '-x509',
      '-key',
      'ca.key',
      '-subj',
      subject,
      '-days',
      '100',
      '-out',
      'ca.crt',
    )
  }

  /** @param name of the files */
  issue(name: string, { subject, san, usage, days = [-1, 100] }: Wanted = {}): Issued {
    this.#key(name)
    this.#openssl(
      'req',
      '-new',
      '-key',
      `${name}.key`,
      '-subj',
      subject ?? `/CN=${name}`,
      '-out',
      'csr',
    )
    const extensions = [san && `subjectAltName = ${san}`, usage && `extendedKeyUsage = ${usage}`]
    writeFileSync(join(this.folder, 'ext'), extensions.filter(Boolean).join('\n'))
    const [from, to] = days.map((day) => timeOf(Date.now() + day * DAY)) as [string, string]
    const period = ['-startdate', from, '-enddate', to]
    this.#openssl(
      'ca',
      '-batch',
      '-notext',
      '-in',
      'csr',
      '-extfile',
      'ext',
      ...period,
      '-out',
      `${name}.crt`,
    )
    return { certificate: join(this.folder, `${name}.crt`), key: join(this.folder, `${name}.key`) }
  }

  /** For a server at that name. */
  server(host: string): { key: Buffer; cert: Buffer } {
    const { key, certificate } = this.issue(host, { san: `DNS:${host}`, usage: 'serverAuth' })
    return { key: readFileSync(key), cert: readFileSync(certificate) }
  }

  /** For tls.connect, as a client that trusts this CA. @param identity the certificate it shows, if any */
  client(identity?: Issued): { ca: Buffer; cert?: Buffer; key?: Buffer } {
    const ca = readFileSync(this.certificate)
    if (!identity) return { ca }
    return { ca, cert: readFileSync(identity.certificate), key: readFileSync(identity.key) }
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true })
  }

  #key(name: string): void {
    this.#openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', `${name}.key`)
  }

  #openssl(command: string, ...args: string[]): void {
    const config = command === 'ca' || command === 'req' ? ['-config', 'config'] : []
    execFileSync('openssl', [command, ...config, ...args], { cwd: this.folder, stdio: 'pipe' })
  }
}

/** A subjectAltName of one dNSName with exactly these bytes, which openssl's own notation would not take. */
export function rawDnsName(name: string): string {
  const bytes = Buffer.from(name, 'latin1')
  const element = Buffer.concat([Buffer.of(0x82, bytes.length), bytes])
  const sequence = Buffer.concat([Buffer.of(0x30, element.length), element])
  // Lengths of one byte only.
  if (element.length > 127) throw new Error('the name is too long')
  return `DER:${sequence.toString('hex')}`
}

/** Tests with certificates need it. */
export function hasOpenssl(): boolean {
  return required('openssl', () => spawnSync('openssl', ['version']).status === 0)
}

/** UTCTime, as openssl takes it. */
function timeOf(ms: number): string {
  return `${new Date(ms)
    .toISOString()
    .replace(/[-:T]|\.\d+/g, '')
    .slice(2)}`
}
