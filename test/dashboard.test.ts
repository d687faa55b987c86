/** docs/grafana: every expression is PromQL of metrics and labels that relyd has, and every metric is shown. */
import { readFileSync } from 'node:fs'
import type { SyntaxNode } from '@lezer/common'
import { parser } from '@prometheus-io/lezer-promql'
import { describe, expect, test } from 'vitest'
import { Metrics } from '../daemon/src/metrics/metrics.js'
import { type MetricSpec, metrics } from '../daemon/src/metrics/table.js'

interface Panel {
  id: number
  type: string
  title: string
  gridPos: { x: number; y: number; w: number; h: number }
  datasource?: { type: string; uid: string }
  targets?: { expr: string; legendFormat: string; datasource: { uid: string } }[]
}

const read = (name: string) =>
  readFileSync(new URL(`../docs/grafana/${name}`, import.meta.url), 'utf8')
const dashboard = JSON.parse(read('relyd.json'))
const panels: Panel[] = dashboard.panels
const shown = panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr, legendFormat }) => ({ title, expr, legendFormat })),
)
const alerts = [...read('alerts.yml').matchAll(/- alert: (\w+)\n +expr: (.+)$/gm)].map(
  ([, title, expr]) => ({ title: title as string, expr: expr as string }),
)

const of_node = new Map((await new Metrics().ofNode()).map((one) => [one.name, one.type]))

/** What Prometheus adds, and what histograms and Node's metrics have. */
const ADDED = ['instance', 'job', 'le', 'kind']

/** Labels of a series by its name in an expression; undefined if relyd has none of that name. */
function labelsOf(name: string): readonly string[] | undefined {
  if (name === 'up') return ADDED
  const base = name.replace(/_(bucket|sum|count)$/, '')
  const spec: MetricSpec | undefined = metrics[base as keyof typeof metrics]
  const type = spec?.type ?? of_node.get(base)
  if (type === undefined || (type === 'histogram') !== (base !== name)) return undefined
  return [...ADDED, ...(spec?.labels ?? [])]
}

/** The names and labels in an expression. @throws Error where it is none */
function partsOf(expr: string): { names: string[]; labels: string[] } {
  // Grafana puts these in before Prometheus sees them.
  const text = expr.replaceAll('$__rate_interval', '5m')
  const names: string[] = []
  const labels: string[] = []
  const collect = ({ from, to, name, type }: SyntaxNode) => {
    if (type.isError) throw new Error(`no PromQL at ${from}: ${text}`)
    if (name === 'VectorSelector') {
      const [metric = ''] = /^\w+/.exec(text.slice(from, to)) ?? []
      names.push(metric)
    }
    if (name === 'LabelName') labels.push(text.slice(from, to))
  }
  parser.parse(text).iterate({ enter: ({ node }) => collect(node) })
  if (names.length === 0) throw new Error(`no metric in ${text}`)
  return { names, labels }
}

test('the parser sees what is wrong', () => {
  expect(partsOf('sum by (realm) (relyd_sites{instance="a"})')).toEqual({
    names: ['relyd_sites'],
    labels: ['realm', 'instance'],
  })
  expect(() => partsOf('sum by (realm (relyd_sites)')).toThrow('no PromQL')
  expect(labelsOf('relyd_site')).toBeUndefined()
  expect(labelsOf('relyd_command_duration_seconds')).toBeUndefined()
})

describe.each([
  ['a panel', shown],
  ['an alert', alerts],
])('of %s', (_, rows: { title: string; expr: string; legendFormat?: string }[]) => {
  test.each(rows)('$title: $expr', ({ expr, legendFormat = '' }) => {
    const { names, labels } = partsOf(expr)
    const known = names.map((name) => labelsOf(name))
    expect(names.filter((_, at) => known[at] === undefined)).toEqual([])
    const legend = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label as string)
    // Whatever it groups by or selects, each of its metrics has.
    for (const label of [...labels, ...legend]) {
      expect(known.every((has) => has?.includes(label)) && label).toBe(label)
    }
    for (const label of legend) expect(labels).toContain(label)
  })
})

test('no single failure wakes anybody, nor can a visitor', () => {
  const rules = read('alerts.yml')
    .split(/(?=- alert: )/)
    .slice(1)
  expect(rules.length).toBe(alerts.length)
  for (const rule of rules) expect(/ > 0\n/.test(rule) && !/\n +for: /.test(rule), rule).toBe(false)
  const logins = alerts.find(({ title }) => title === 'RelydLoginsFail')?.expr
  // Among what fails, and among what that is a part of.
  expect(logins?.match(/outcome!~"[^"]*invalid_state\|invalid_binding"/g)).toHaveLength(2)
})

test('every metric of relyd is on the dashboard', () => {
  const names = shown.flatMap(({ expr }) => partsOf(expr).names)
  const used = new Set(names.map((name) => name.replace(/_(bucket|sum|count)$/, '')))
  expect(Object.keys(metrics).filter((name) => !used.has(name))).toEqual([])
})

test('it can be imported: one data source by a variable, panels with ids of their own that do not overlap', () => {
  const variables = dashboard.templating.list.map(
    ({ name, type }: { name: string; type: string }) => [name, type],
  )
  expect(variables).toEqual([
    ['datasource', 'datasource'],
    ['instance', 'query'],
  ])
  const uids = panels.flatMap(({ datasource, targets = [] }) => [
    ...(datasource ? [datasource.uid] : []),
    ...targets.map(({ datasource }) => datasource.uid),
  ])
  expect(new Set(uids)).toEqual(new Set(['$' + '{datasource}']))
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
  for (const [at, { gridPos: a }] of panels.entries()) {
    expect(a.x + a.w).toBeLessThanOrEqual(24)
    for (const { gridPos: b } of panels.slice(at + 1)) {
      const apart = a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y
      expect(apart).toBe(true)
    }
  }
  expect(dashboard).not.toHaveProperty('id')
})
