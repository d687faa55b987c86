/** What /metrics answers, read; and read by Prometheus' own Python client, the referee of this reader. */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { askHttp } from './ask_http.js'
import { required } from './required.js'

/** A line: name, labels and value. */
export type Sample = [name: string, labels: Record<string, string>, value: number | null]

export interface Parsed {
  /** Types by name. */
  types: Record<string, string>
  samples: Sample[]
}

export class Scrape {
  readonly text: string
  readonly types: Parsed['types']
  readonly samples: Sample[]

  constructor(text: string) {
    this.text = text
    const types = text.matchAll(/^# TYPE (\w+) (\w+)$/gm)
    this.types = Object.fromEntries([...types].map(([, name, type]) => [name, type]))
    this.samples = text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map(readSample)
  }

  /** @param where the path of a Unix socket, or a port of loopback */
  static async of(where: string | number): Promise<Scrape> {
    const { status, body } = await askHttp(where, '/metrics')
    if (status !== 200) throw new Error(`/metrics answered ${status}: ${body}`)
    return new Scrape(body)
  }

  /** The sum over all series of this name that have these labels; 0 if none has. */
  value(name: string, labels: Record<string, string> = {}): number {
    const base = name.replace(/_(bucket|sum|count)$/, '')
    if (!(name in this.types) && !(base in this.types)) throw new Error(`no metric ${name}`)
    return this.samples
      .filter(
        ([one, has]) =>
          one === name && Object.entries(labels).every(([label, value]) => has[label] === value),
      )
      .reduce((sum, [, , value]) => sum + (value ?? 0), 0)
  }

  /** All values that a label has anywhere. */
  labelValues(label: string): Set<string> {
    return new Set(this.samples.flatMap(([, labels]) => labels[label] ?? []))
  }
}

function readSample(line: string): Sample {
  const [, name, labels = '', value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
  if (name === undefined) throw new Error(`no sample: ${line}`)
  const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)]
  return [name, Object.fromEntries(pairs.map(([, label, text]) => [label, text])), numberOf(value)]
}

/** Of what was not measured yet, there is none. */
function numberOf(text = ''): number | null {
  if (text === 'Nan') return null
  if (!Number.isFinite(Number(text))) throw new Error(`no number: ${text}`)
  return Number(text)
}

/** Debian's, whose python3-prometheus-client is not for another Python. */
const PYTHON = '/usr/bin/python3'

const REFEREE = `
import json, sys
from prometheus_client.parser import text_string_to_metric_families as parse
families = list(parse(sys.stdin.read()))
json.dump({
  'types': {f.name: f.type for f in families},
  'samples': [[s.name, s.labels, s.value if s.value == s.value else None] for f in families for s in f.samples],
}, sys.stdout)`

/** @returns undefined where Prometheus' Python client is not installed */
export function parsedByReferee(text: string): Parsed | undefined {
  if (!hasReferee()) return undefined
  return JSON.parse(execFileSync(PYTHON, ['-c', REFEREE], { input: text, encoding: 'utf8' }))
}

function hasReferee(): boolean {
  return required('python3-prometheus-client', () =>
    existsSync('/usr/lib/python3/dist-packages/prometheus_client'),
  )
}
