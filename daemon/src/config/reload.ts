/** What a changed relyd.cfg means for a daemon that runs: what it takes over, and what has to wait for a restart. */
import { isDeepStrictEqual } from 'node:util'
import type { Config, SectionValues } from './config.js'
import { policyOf } from './load.js'
import type { Option, Options } from './option.js'
import { sections } from './options.js'

/** A value before and after, as text for the log: no option is secret. */
export interface Change {
  from: string
  to: string
}

export interface ReloadPlan {
  /** What is in force then: the new values of what can be taken over, and else the old ones. */
  config: Config
  /** What is taken over, by section and option: `[daemon] op_timeout`. */
  changed: Record<string, Change>
  /** Options and sections that keep their old state until the daemon is started again. */
  needs_restart: string[]
}

/**
 * @param running what is in force
 * @param read the file as it is now
 */
export function planReload(running: Config, read: Config): ReloadPlan {
  const changed: Record<string, Change> = {}
  const needs_restart: string[] = []
  const merged = new Map<string, SectionValues>()
  for (const name of new Set([...running.values.keys(), ...read.values.keys()])) {
    const before = running.values.get(name)
    const after = read.values.get(name)
    if ((!before || !after) && isOfOp(name)) {
      // Of no weight to anything but its OP, and so taken over as it comes and goes.
      changed[`[${name}]`] = { from: show(before?.['op_host']), to: show(after?.['op_host']) }
      if (after) merged.set(name, after)
      continue
    }
    if (!before || !after) {
      needs_restart.push(`[${name}]`)
      if (before) merged.set(name, before)
      continue
    }
    const values = { ...before }
    for (const [option, { reload }] of Object.entries(optionsOf(name))) {
      if (isDeepStrictEqual(before[option], after[option])) continue
      const shown = `[${name}] ${option}`
      if (!reload) {
        needs_restart.push(shown)
        continue
      }
      changed[shown] = { from: show(before[option]), to: show(after[option]) }
      values[option] = after[option]
    }
    merged.set(name, values)
  }
  for (const [key, { name, metadata_file, static: now }] of read.ops) {
    const earlier = running.ops.get(key)?.static
    const shown = `[op ${name}] metadata_file`
    if (!now || !earlier || shown in changed || isDeepStrictEqual(earlier, now)) continue
    changed[shown] = { from: 'its earlier content', to: show(metadata_file) }
  }
  return { config: { ...withValues(running, merged), ops: read.ops }, changed, needs_restart }
}

function isOfOp(section: string): boolean {
  return section.startsWith('op ')
}

/** @param section its header, such as `listener site` */
function optionsOf(section: string): Record<string, Option> {
  const [kind = ''] = section.split(' ')
  return sections[kind as keyof typeof sections].options as Options
}

/** The configuration with other values of options that can be taken over. */
function withValues(running: Config, values: Map<string, SectionValues>): Config {
  const reloaded = (name: string): object => {
    const all = Object.entries(values.get(name) ?? {})
    return Object.fromEntries(all.filter(([option]) => optionsOf(name)[option]?.reload))
  }
  return {
    ...running,
    values,
    daemon: { ...running.daemon, ...reloaded('daemon') },
    listeners: running.listeners.map((one) => ({ ...one, ...reloaded(`listener ${one.name}`) })),
    realms: new Map(
      [...running.realms.keys()].map((name) => [
        name,
        policyOf(name, values.get(`realm ${name}`) as Parameters<typeof policyOf>[1]),
      ]),
    ),
  }
}

function show(value: unknown): string {
  if (value === undefined) return 'none'
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.join(', ')
  // Parameters by their names.
  if (typeof value === 'object') return new URLSearchParams({ ...value }).toString()
  return String(value)
}
