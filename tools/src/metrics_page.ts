/** docs/metrics.md: every metric of /metrics, from the table that the registry is made from. */
import { Metrics } from '../../daemon/dist/metrics/metrics.js'
import { type MetricSpec, metrics } from '../../daemon/dist/metrics/table.js'

export async function metricsPage(): Promise<string> {
  const own = Object.entries(metrics).map(([name, spec]) => row(name, spec))
  const of_node = (await new Metrics().ofNode()).map(
    ({ name, type, help }) => `| \`${name}\` | ${type} | ${help} |`,
  )
  return `# Metrics

Generated from \`daemon/src/metrics/table.ts\`. [operating/observe.md](operating/observe.md) says how to ask for them and
what to watch.

No label holds a secret, an oxd_id or anything of an End-User. Realms, listeners and commands are as many as relyd.cfg and
relyd have. OPs are named by sites: beside the hosts that relyd.cfg names, the first 20 hosts of a realm that have answered
get a label of their own, and all others are \`other\`. A histogram has the series \`_bucket\`, \`_sum\` and \`_count\`.

| metric | type | labels | |
|---|---|---|---|
${own.join('\n')}

## Of Node

By [prom-client](https://github.com/siimon/prom-client), under the names that its dashboards know.

| metric | type | |
|---|---|---|
${of_node.join('\n')}
`
}

function row(name: string, { type, labels, help }: MetricSpec): string {
  return `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} |`
}
