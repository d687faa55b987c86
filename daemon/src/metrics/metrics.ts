/** The metrics of a daemon: counted where things happen, or read when somebody asks. */
import { collectDefaultMetrics, type Metric, Registry } from 'prom-client'
import { Count, Times } from './children.js'
import {
  type LabelValues,
  type MetricName,
  type MetricSpec,
  metrics,
  type NameOf,
} from './table.js'

/** A line of the exposition. */
interface Sample {
  metricName?: string
  labels: Record<string, string | number>
  value: number
}

/** Reads the present values, each with those of its labels. */
type Read<N extends MetricName> = () => Readings<N> | Promise<Readings<N>>
type Readings<N extends MetricName> = Iterable<readonly [labels: LabelValues<N>, value: number]>

/** Milliseconds between looks at the event loop's delay: a timer that wakes an idle daemon. */
const LOOP_PRECISION = 50

export class Metrics {
  readonly #registry = new Registry()
  readonly #children = new Map<MetricName, Map<string, [labels: string[], child: Count | Times]>>()
  readonly #reads = new Map<MetricName, Read<MetricName>>()

  constructor() {
    for (const [name, spec] of Object.entries(metrics)) this.#register(name as MetricName, spec)
    collectDefaultMetrics({
      register: this.#registry,
      eventLoopMonitoringPrecision: LOOP_PRECISION,
    })
  }

  /** The content type of {@link text}. */
  get contentType(): string {
    return this.#registry.contentType
  }

  /** @returns what to count with; ask once for what happens often */
  count<N extends NameOf<'counter'>>(name: N, ...labels: LabelValues<N>): Count {
    return this.#child(name, labels, () => new Count()) as Count
  }

  /** @returns what to hand durations to; ask once for what happens often */
  times<N extends NameOf<'histogram'>>(name: N, ...labels: LabelValues<N>): Times {
    return this.#child(name, labels, () => new Times(metrics[name].buckets)) as Times
  }

  /** Has values read whenever somebody asks for the metrics, for what is counted elsewhere anyway. */
  read<N extends NameOf<'counter' | 'gauge'>>(name: N, read: Read<N>): void {
    this.#reads.set(name, read as unknown as Read<MetricName>)
  }

  /** Everything, as Prometheus reads it. */
  text(): Promise<string> {
    return this.#registry.metrics()
  }

  /** Of Node's metrics, which are not in the table: name, type and help. */
  async ofNode(): Promise<{ name: string; type: string; help: string }[]> {
    const all = await this.#registry.getMetricsAsJSON()
    return all
      .filter(({ name }) => !Object.hasOwn(metrics, name))
      .map(({ name, type, help }) => ({ name, type: String(type), help }))
  }

  #child(name: MetricName, labels: readonly string[], make: () => Count | Times): Count | Times {
    const children = this.#children.get(name) ?? new Map()
    this.#children.set(name, children)
    const key = labels.join('\n')
    const [, known] = children.get(key) ?? []
    if (known) return known
    const child = make()
    children.set(key, [[...labels], child])
    return child
  }

  /** None if they cannot be had: what else is wrong is told all the more. */
  async #readings(name: MetricName): Promise<(readonly [readonly string[], number])[]> {
    try {
      return [...((await this.#reads.get(name)?.()) ?? [])]
    } catch {
      return []
    }
  }

  #register(name: MetricName, spec: MetricSpec): void {
    const { type, help } = spec
    const get = async () => ({
      name,
      help,
      type,
      aggregator: 'sum',
      values: await this.#samples(name),
    })
    // All that a registry asks of a metric when it writes it.
    this.#registry.registerMetric({ name, get } as unknown as Metric)
  }

  async #samples(name: MetricName): Promise<Sample[]> {
    const named = (values: readonly string[]) =>
      Object.fromEntries(metrics[name].labels.map((label, at) => [label, values[at] as string]))
    const counted = [...(this.#children.get(name)?.values() ?? [])]
    const read = await this.#readings(name)
    return [
      ...counted.flatMap(([values, child]) =>
        child instanceof Times
          ? samplesOf(name, named(values), child)
          : [{ labels: named(values), value: child.value }],
      ),
      ...read.map(([values, value]) => ({ labels: named(values), value })),
    ]
  }
}

function samplesOf(name: string, labels: Record<string, string>, times: Times): Sample[] {
  let count = 0
  const buckets = times.counts.map((more, at) => {
    count += more
    const le = times.bounds[at] ?? '+Inf'
    return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: count }
  })
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels, value: times.sum },
    { metricName: `${name}_count`, labels, value: count },
  ]
}
