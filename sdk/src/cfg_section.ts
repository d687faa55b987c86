/** A section of a site's cfg as oxd-python's ConfigParser answers it: over `[DEFAULT]`, with `%(key)s` replaced. */
import { ConfigError } from './errors.js'
import type { IniEntry, IniFile } from './ini_file.js'
import { InterpolationError, interpolate } from './interpolation.js'

/** A value, and where it stands: the line in the cfg, counted from 1, or an environment variable. */
export interface Setting {
  value: string
  place: number | string
}

/** Settings by key. */
export type Settings = Map<string, Setting>

/** The section whose keys are in every other one too. */
export const DEFAULT = 'DEFAULT'

/** One section of a file. A header that is missing does not keep `[DEFAULT]` out. */
export class CfgSection {
  readonly #path: string
  readonly #name: string
  readonly #entries: Map<string, IniEntry>
  /** Keys that others refer to. */
  readonly referenced = new Set<string>()

  constructor(file: IniFile, name: string) {
    this.#path = file.path
    this.#name = name
    const own = file.sections.get(name) ?? []
    this.#entries = new Map([...(file.sections.get(DEFAULT) ?? []), ...own])
  }

  /** Its own keys and those of `[DEFAULT]`. */
  keys(): Iterable<string> {
    return this.#entries.keys()
  }

  /**
   * @param key in lower case
   * @throws {ConfigError} if the value refers to one that is not there
   */
  get(key: string): Setting | undefined {
    const entry = this.#entries.get(key)
    if (!entry) return undefined
    try {
      const value = interpolate(key, entry.value, (name) => this.#refer(name))
      return { value, place: entry.line }
    } catch (error) {
      if (!(error instanceof InterpolationError)) throw error
      throw new ConfigError(this.#path, entry.line, `"${key}" ${error.message}`)
    }
  }

  /** As {@link get}, for a value that does not count: its faults are nobody's trouble. */
  peek(key: string): Setting | undefined {
    try {
      return this.get(key)
    } catch {
      return undefined
    }
  }

  /**
   * Those of some keys that have a value: an empty one counts as absent.
   *
   * @param replaced keys that are given elsewhere; still the ones they refer to count as used
   */
  settings(keys: Iterable<string>, replaced: ReadonlySet<string> = new Set()): Settings {
    const settings: Settings = new Map()
    for (const key of keys) {
      const setting = replaced.has(key) ? void this.peek(key) : this.get(key)
      if (setting && setting.value !== '') settings.set(key, setting)
    }
    return settings
  }

  #refer(key: string): string | undefined {
    this.referenced.add(key)
    const entry = this.#entries.get(key)
    // Python 2.7 keeps the section's name there.
    return entry || key !== '__name__' ? entry?.value : this.#name
  }
}
