/** Loads relyd.cfg: the same for `relyd serve` and `relyd check-config`. */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { ConfigError, type IniFile, nearestName, parseIniFile } from '@relyd/sdk/ini_file'
import type { RealmPolicy } from '../context.js'
import { StartError } from '../start_error.js'
import type { Config, DaemonConfig, ListenerConfig } from './config.js'
import { NAME, type Options, type OptionValues } from './option.js'
import { daemonOptions, listenerOptions, realmOptions, sections } from './options.js'

/**
 * @param environment where systemd tells the directories it made (`STATE_DIRECTORY`)
 * @throws StartError naming file, line and cure
 */
export function loadConfig(path: string, environment: NodeJS.ProcessEnv = process.env): Config {
  return readConfig(readText(path), path, environment)
}

/** {@link loadConfig} for a text that was read already. */
export function readConfig(text: string, path: string, environment: NodeJS.ProcessEnv): Config {
  const file = parse(text, path)
  for (const name of file.sections.keys()) checkSection(file, name)
  const daemon = withPaths(readSection(file, 'daemon', daemonOptions), environment)
  const listeners = named(file, 'listener').map(
    ([section, name]): ListenerConfig => ({ name, ...readSection(file, section, listenerOptions) }),
  )
  if (listeners.length === 0) {
    throw new StartError(
      `${path}: there is no listener; add a section [listener site] with address = unix:/run/relyd/relyd.sock`,
    )
  }
  return { path, daemon, listeners, realms: readRealms(file, listeners) }
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
  if (rest[0] !== undefined && !NAME.test(rest[0])) {
    throw at(
      file,
      file.section_lines.get(section),
      `the name of [${section}] may have lower-case letters, digits, - and _ only`,
    )
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

function withPaths(daemon: DaemonConfig, { STATE_DIRECTORY }: NodeJS.ProcessEnv): DaemonConfig {
  const isDefault = daemon.state_directory === daemonOptions.state_directory.default
  const base = resolve((isDefault && STATE_DIRECTORY) || daemon.state_directory)
  return {
    ...daemon,
    state_directory: base,
    database: resolve(base, daemon.database),
    key_file: resolve(base, daemon.key_file),
  }
}

function readRealms(file: IniFile, listeners: ListenerConfig[]): Map<string, RealmPolicy> {
  const served = new Set(listeners.map(({ realm }) => realm))
  const sectionOf = new Map(named(file, 'realm').map(([section, name]) => [name, section]))
  for (const [name, section] of sectionOf) {
    if (served.has(name)) continue
    throw at(file, file.section_lines.get(section), `no listener serves the realm ${name}`)
  }
  return new Map(
    [...served].map((name): [string, RealmPolicy] => {
      const section = readSection(file, sectionOf.get(name) ?? `realm ${name}`, realmOptions)
      return [name, { ...section, name, allowed_op_hosts: section.allowed_op_hosts ?? [] }]
    }),
  )
}

function at(file: IniFile, line: number | undefined, what: string): StartError {
  return new StartError(
    line === undefined ? `${file.path}: ${what}` : `${file.path}:${line}: ${what}`,
  )
}

function meant(near: string | undefined): string {
  return near === undefined ? '' : `; did you mean ${near}?`
}
