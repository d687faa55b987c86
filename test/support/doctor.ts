/** `relyd doctor` as a test reads it. */
import { createHash } from 'node:crypto'
import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { relyd } from './cli.js'

export interface Found {
  check: string
  severity: 'fault' | 'warning' | 'note'
  about: string
  what: string
  cure: string
}

export interface Examined {
  status: number | null
  findings: Found[]
  checks: { name: string; result: string }[]
}

/** @param config relyd.cfg */
export async function examine(
  config: string,
  args: string[] = [],
  env: Record<string, string> = {},
): Promise<Examined> {
  const { status, stdout, stderr } = await relyd(['doctor', '--json', '-c', config, ...args], env)
  expect(stderr).toBe('')
  const report = JSON.parse(stdout) as Omit<Examined, 'status'>
  const faults = report.findings.filter(({ severity }) => severity === 'fault')
  expect(status).toBe(faults.length > 0 ? 4 : 0)
  return { status, ...report }
}

export interface Wanted {
  severity: Found['severity']
  about: RegExp | string
  what: RegExp
  cure: RegExp
}

/** Fails unless just one finding names the thing, what is wrong with it, and what helps. */
export function expectFinding(
  { findings }: Examined,
  { severity, about, what, cure }: Wanted,
): void {
  const matching = findings.filter(
    (one) =>
      one.severity === severity &&
      (typeof about === 'string' ? one.about === about : about.test(one.about)) &&
      what.test(one.what) &&
      cure.test(one.cure),
  )
  expect(matching, JSON.stringify(findings, null, 1)).toHaveLength(1)
}

/** Every file below a folder with its mode, owner, time and content; of SQLite's shared memory, which every reader marks, that it is there. */
export function snapshot(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()
  return names.map((name) => {
    const path = join(folder, name)
    const stats = lstatSync(path)
    if (name.endsWith('-shm')) return name
    const content = stats.isFile()
      ? createHash('sha256').update(readFileSync(path)).digest('hex')
      : ''
    return [name, stats.mode, stats.uid, stats.mtimeMs, content].join(' ')
  })
}
