/** Loads relyd.cfg: the same for `relyd serve` and `relyd check-config`. */
import { readFileSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { ConfigError, type IniFile, nearestName, parseIniFile } from '@relyd/sdk/ini_file'
import { isLoopback } from '@relyd/sdk/loopback'
import type { RealmPolicy } from '../context.js'
import { AddressPolicy } from '../op/address_policy.js'
import {
  type OpOptions,
  type OpOptionsByHost,
  optionsOf,
  sectionKey,
  TENANT,
} from '../op/op_options.js'
import { readStaticMetadata } from '../op/static_metadata.js'
import type { Limit, SharedQuota } from '../quota.js'
import { StartError } from '../start_error.js'
import {
  ADMIN,
  type Config,
  type DaemonConfig,
  type ListenerConfig,
  realmsOf,
  type SectionValues,
  type TlsConfig,
} from './config.js'
import { address, faultOfName, type Options, type OptionValues } from './option.js'
import {
  daemonOptions,
  listenerOptions,
  opOptions,
  realmOptions,
  sections,
  tlsOptions,
} from './options.js'

/**
 * @param environment where systemd tells the directories it made (`STATE_DIRECTORY`,
 * `CREDENTIALS_DIRECTORY`)
 * @throws StartError naming file, line and cure
 */
export function loadConfig(path: string, environment: NodeJS.ProcessEnv = process.env): Config {
  return readConfig(readText(path), path, environment)
}

/**
 * {@link loadConfig} with the files that it names, for who deals with OPs; to ask the daemon, nobody
 * needs them to be good.
 */
export function loadWholeConfig(path: string): Config {
  const text = readText(path)
  const config = readConfig(text, path, process.env)
  const policy = insecurePolicy(config.daemon.insecure_op_hosts ?? [])
  const ops = [...config.ops].map(([key, op]): [string, OpOptions] => {
    if (op.metadata_file === undefined) return [key, op]
    const metadata_file = resolve(config.daemon.state_directory, op.metadata_file)
    try {
      const given = { ...op, metadata_file }
      return [key, { ...given, static: readStaticMetadata(metadata_file, policy, given) }]
    } catch (error) {
      const entry = parse(text, path).sections.get(`op ${op.name}`)?.get('metadata_file')
      const what = `metadata_file ${metadata_file} ${(error as Error).message}`
      throw new StartError(`${path}:${entry?.line}: ${what}`)
    }
  })
  return { ...config, ops: new Map(ops) }
}

/** {@link loadConfig} for a text that was read already. */
export function readConfig(text: string, path: string, environment: NodeJS.ProcessEnv): Config {
  const file = parse(text, path)
  for (const name of file.sections.keys()) checkSection(file, name)
  const daemon = withPaths(readSection(file, 'daemon', daemonOptions), environment)
  const listeners = named(file, 'listener').map(([section, name]) =>
    readListener(file, section, name, daemon.state_directory),
  )
  if (listeners.length === 0) {
    throw new StartError(
      `${path}: there is no listener; add a section [listener site] with address = unix:/run/relyd/relyd.sock`,
    )
  }
  const realms = readRealms(file, listeners)
  return {
    path,
    daemon,
    listeners,
    admin_listener: adminListener(file, daemon),
    realms,
    ops: readOps(file, daemon),
    values: readValues(file, realms.keys()),
  }
}

/** @param realms those that have no section have values too */
function readValues(file: IniFile, realms: Iterable<string>): Map<string, SectionValues> {
  const headers = new Set([
    'daemon',
    ...file.sections.keys(),
    ...[...realms].map((name) => `realm ${name}`),
  ])
  return new Map(
    [...headers].map((header) => {
      const [kind = ''] = header.split(' ')
      return [header, readSection(file, header, sections[kind as keyof typeof sections].options)]
    }),
  )
}

/** Limits of the admin socket: there is one operator, and programs that look after the daemon. */
const ADMIN_LIMITS = {
  connections: 100,
  buffer_megabytes: 16,
  frame_timeout: 30,
  idle_timeout: 3600,
}

function adminListener(file: IniFile, { admin_socket }: DaemonConfig): ListenerConfig {
  try {
    const where = address(`unix:${admin_socket}`)
    return {
      name: ADMIN,
      realm: ADMIN,
      address: where,
      mode: 0o600,
      tls: undefined,
      oxd_http: undefined,
      ...ADMIN_LIMITS,
    }
  } catch (error) {
    const { line } = file.sections.get('daemon')?.get('admin_socket') ?? {}
    throw at(file, line, `admin_socket ${(error as Error).message}: ${admin_socket}`)
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const why = code === 'ENOENT' ? 'there is no such file' : `cannot be read (${code})`
    throw new StartError(`${path}: ${why}; name the daemon's configuration with --config`)
  }
}

function parse(text: string, path: string): IniFile {
  try {
    return parseIniFile(text, path)
  } catch (error) {
    if (error instanceof ConfigError) throw new StartError(error.message)
    throw error
  }
}

function checkSection(file: IniFile, section: string): void {
  const [kind = '', ...rest] = section.split(/\s+/)
  const known = Object.hasOwn(sections, kind) && sections[kind as keyof typeof sections]
  if (!known) {
    const near = nearestName(kind, Object.keys(sections))
    throw at(file, file.section_lines.get(section), `unknown section [${section}]${meant(near)}`)
  }
  if (known.named !== (rest.length === 1) || section !== [kind, ...rest].join(' ')) {
    const wanted = known.named ? `[${kind} NAME]` : `[${kind}]`
    throw at(file, file.section_lines.get(section), `[${section}] must be written ${wanted}`)
  }
  const fault = rest[0] === undefined ? undefined : faultOfName(rest[0])
  if (fault !== undefined) {
    throw at(file, file.section_lines.get(section), `the name of [${section}] ${fault}`)
  }
}

function named(file: IniFile, kind: string): [section: string, name: string][] {
  return [...file.sections.keys()].flatMap((section): [string, string][] => {
    const [first, name] = section.split(/\s+/)
    return first === kind && name !== undefined ? [[section, name]] : []
  })
}

function readSection<O extends Options>(
  file: IniFile,
  section: string,
  options: O,
): OptionValues<O> {
  const entries = file.sections.get(section) ?? new Map<string, never>()
  for (const [key, { line }] of entries) {
    if (Object.hasOwn(options, key)) continue
    const near = nearestName(key, Object.keys(options))
    throw at(file, line, `unknown option "${key}" in [${section}]${meant(near)}`)
  }
  const values = Object.entries(options).map(([name, option]) => {
    const entry = entries.get(name)
    const text = entry && entry.value !== '' ? entry.value : option.default
    if (text === undefined) {
      if (!option.required) return [name, undefined]
      const line = entry?.line ?? file.section_lines.get(section)
      throw at(file, line, `[${section}] needs ${name} = ${option.example ?? '…'}`)
    }
    try {
      return [name, option.read(text)]
    } catch (error) {
      throw at(file, entry?.line, `${name} ${(error as Error).message}`)
    }
  })
  return Object.fromEntries(values) as OptionValues<O>
}

function withPaths(daemon: DaemonConfig, environment: NodeJS.ProcessEnv): DaemonConfig {
  const isDefault = daemon.state_directory === daemonOptions.state_directory.default
  const base = resolve((isDefault && environment['STATE_DIRECTORY']) || daemon.state_directory)
  return {
    ...daemon,
    state_directory: base,
    database: resolve(base, daemon.database),
    admin_socket: resolve(base, daemon.admin_socket),
    key_file: keyCredential(daemon, environment) ?? resolve(base, daemon.key_file),
  }
}

/** The keys that the unit brings with `LoadCredential=store.key:…`, unless the file names others. */
function keyCredential(
  { key_file }: DaemonConfig,
  { CREDENTIALS_DIRECTORY }: NodeJS.ProcessEnv,
): string | undefined {
  if (!CREDENTIALS_DIRECTORY || key_file !== daemonOptions.key_file.default) return undefined
  const credential = join(resolve(CREDENTIALS_DIRECTORY), 'store.key')
  try {
    return statSync(credential, { throwIfNoEntry: false }) && credential
  } catch (error) {
    // To go on as if there were none would be to make another key.
    throw new StartError(
      `cannot read the credential ${credential}: ${(error as Error).message}; it is the unit's (LoadCredential=)`,
    )
  }
}

/** @param base where relative paths start */
function readListener(file: IniFile, section: string, name: string, base: string): ListenerConfig {
  const { tls_certificate, tls_key, tls_client_ca, certificate_realms, ...listener } = readSection(
    file,
    section,
    listenerOptions,
  )
  const given = filled(file, section)
  const refuse = (option: string, why: string) => at(file, given.get(option), `${option} ${why}`)
  const option = Object.keys(tlsOptions).find((one) => given.has(one))
  if (option !== undefined && listener.address.kind === 'unix') {
    throw refuse(option, "is for TCP: a Unix socket's mode and group say who may connect")
  }
  const complete = tls_certificate && tls_key && tls_client_ca
  if (option !== undefined && !complete) throw refuse(option, `works with all of ${TLS} only`)
  if (listener.address.kind === 'tcp' && !complete && !isLoopback(listener.address.host)) {
    const why = 'must be a loopback address, or one with TLS and client certificates'
    throw refuse('address', `${why}: add ${TLS}`)
  }
  if (listener.oxd_http && complete) {
    throw refuse(
      'oxd_http',
      'is for a Unix socket or loopback without TLS; leave one of the two out',
    )
  }
  if (certificate_realms && given.has('realm')) {
    throw refuse('realm', 'is not served where certificate_realms is given; keep one of the two')
  }
  const tls: TlsConfig | undefined = complete
    ? {
        certificate: resolve(base, tls_certificate),
        key: resolve(base, tls_key),
        client_ca: resolve(base, tls_client_ca),
        realms: certificate_realms,
      }
    : undefined
  return { name, ...listener, tls }
}

const TLS = 'tls_certificate, tls_key and tls_client_ca'

/** @returns the lines of the options that have a value */
function filled(file: IniFile, section: string): Map<string, number> {
  const entries = [...(file.sections.get(section) ?? [])]
  return new Map(entries.flatMap(([key, { value, line }]) => (value === '' ? [] : [[key, line]])))
}

function readRealms(file: IniFile, listeners: ListenerConfig[]): Map<string, RealmPolicy> {
  const served = new Set(listeners.flatMap((listener) => [...realmsOf(listener)]))
  const sectionOf = new Map(named(file, 'realm').map(([section, name]) => [name, section]))
  for (const [name, section] of sectionOf) {
    if (served.has(name)) continue
    throw at(file, file.section_lines.get(section), `no listener serves the realm ${name}`)
  }
  const realms = new Map(
    [...served].map((name): [string, RealmPolicy] => {
      const section = sectionOf.get(name) ?? `realm ${name}`
      const policy = policyOf(name, readSection(file, section, realmOptions))
      checkOxdPolicy(policy, (option, why) =>
        at(file, filled(file, section).get(option), `${option} ${why}`),
      )
      return [name, policy]
    }),
  )
  for (const { name, realm, oxd_http } of listeners) {
    if (!oxd_http || realms.get(realm)?.oxd_clients !== undefined) continue
    const line = filled(file, `listener ${name}`).get('oxd_http')
    throw at(file, line, `oxd_http is for a realm with oxd_clients, and [realm ${realm}] has none`)
  }
  return realms
}

function checkOxdPolicy(
  policy: RealmPolicy,
  refuse: (option: string, why: string) => StartError,
): void {
  const { oxd_clients, tokens, protect_commands_with_access_token } = policy
  if (oxd_clients === undefined && protect_commands_with_access_token) {
    throw refuse(
      'protect_commands_with_access_token',
      'is of oxd clients, which the realm does not serve; give oxd_clients too, or leave it out',
    )
  }
  if (oxd_clients !== undefined && tokens === 'daemon') {
    throw refuse(
      'oxd_clients',
      'cannot be served with tokens = daemon, as they work with the tokens themselves; keep one of the two',
    )
  }
}

/** @param options of its section */
export function policyOf(name: string, options: OptionValues<typeof realmOptions>): RealmPolicy {
  const limit = (quota: SharedQuota): Limit => ({
    site: options[`${quota}_per_site`],
    realm: options[quota],
  })
  return {
    name,
    tokens: options.tokens,
    front_channel_access_tokens: options.front_channel_access_tokens === 'yes',
    allowed_op_hosts: options.allowed_op_hosts ?? [],
    webfinger: options.webfinger === 'yes',
    oxd_clients: options.oxd_clients === 'no' ? undefined : options.oxd_clients,
    protect_commands_with_access_token: options.protect_commands_with_access_token === 'yes',
    quotas: {
      sites: options.sites,
      registrations_per_minute: options.registrations_per_minute,
      lookups_per_minute: options.lookups_per_minute,
      pending_logins: limit('pending_logins'),
      sessions: limit('sessions'),
      store_megabytes: limit('store_megabytes'),
      requests: limit('requests'),
      op_calls: limit('op_calls'),
    },
  }
}

/** Knows which hosts may be called without TLS, and nothing more. */
function insecurePolicy(insecure_hosts: readonly string[]): AddressPolicy {
  return new AddressPolicy({ realm: '', allowed_hosts: [], insecure_hosts, proxied: false })
}

function readOps(
  file: IniFile,
  { insecure_op_hosts = [], state_directory }: DaemonConfig,
): OpOptionsByHost {
  const policy = insecurePolicy(insecure_op_hosts)
  const ops = new Map<string, OpOptions>()
  for (const [section, name] of named(file, 'op')) {
    const op = { name, ...readSection(file, section, opOptions) }
    const lines = filled(file, section)
    const refuse = (option: string, why: string) => at(file, lines.get(option), `${option} ${why}`)
    for (const option of ['op_host', 'issuer', 'logout_endpoint'] as const) {
      const url = op[option]?.replace(TENANT, 'tenant')
      if (url === undefined || policy.isSecure(new URL(url))) continue
      throw refuse(option, 'must be an https address')
    }
    if (op.claims_providers?.some((one) => !policy.isSecure(new URL(one)))) {
      throw refuse('claims_providers', 'must list https addresses')
    }
    const other = optionsOf(ops, op.op_host)
    if (other) throw refuse('op_host', `is that of [op ${other.name}] too; keep one section`)
    const many = op.issuer?.includes(TENANT) ?? false
    if (many && !op.tenants) {
      throw refuse('issuer', `has ${TENANT}, so say in tenants whose users may log in`)
    }
    if (op.tenants && !many) throw refuse('tenants', `works with an issuer that has ${TENANT} only`)
    if (op.logout_return_parameter && !op.logout_endpoint) {
      throw refuse('logout_return_parameter', 'works with logout_endpoint only')
    }
    const token_file = op.initial_access_token_file
    ops.set(sectionKey(op.op_host), {
      ...op,
      initial_access_token_file: token_file && resolve(state_directory, token_file),
    })
  }
  return ops
}

function at(file: IniFile, line: number | undefined, what: string): StartError {
  return new StartError(
    line === undefined ? `${file.path}: ${what}` : `${file.path}:${line}: ${what}`,
  )
}

function meant(near: string | undefined): string {
  return near === undefined ? '' : `; did you mean ${near}?`
}
