/** How long a website's logins take alone, and while another website floods the same daemon. */
import { nextMessage, startModule, stop } from './children.js'
import { startDaemon } from './daemon.js'
import type { Flooded } from './flooder.js'
import { median } from './median.js'
import type { Outcome, Round } from './worker.js'

const ROUNDS = 5
const ROUND_SECONDS = 2
const WARM_UP_SECONDS = 1

/** Milliseconds of a login. */
export interface Latency {
  p50: number
  p99: number
}

export interface Isolation {
  alone: Latency
  flooded: Latency
  /** flooded / alone, of all rounds together. */
  ratio: Latency
  /** Logins that the website asked for while it was flooded; none of them failed, or the run would have. */
  logins: number
  /** The flooding website's replies, by their outcome. */
  flood: Flooded
}

/** Measures in turn, a round alone and a round flooded. */
export async function measureIsolation(folder: string, node_options: string[]): Promise<Isolation> {
  const op = startModule('op.js')
  const issuer = await nextMessage<string>(op)
  const { daemon, socket } = await startDaemon(folder, node_options)
  const setting = { folder, issuer, socket, daemon_pid: daemon.pid as number }
  const worker = startModule('worker.js', ['relyd', JSON.stringify(setting)])
  await nextMessage(worker)
  const flooder = startModule('flooder.js', [socket])
  await nextMessage(flooder)

  const logIn = async (seconds: number): Promise<number[]> => {
    const round: Round = { line: 'login', in_flight: 1, seconds, latencies: true }
    const outcome = nextMessage<Outcome>(worker)
    worker.send(round)
    return (await outcome).latencies
  }
  const alone: number[] = []
  const flooded: number[] = []
  const flood: Flooded = {}
  await logIn(WARM_UP_SECONDS)
  for (let round = 0; round < ROUNDS; round += 1) {
    alone.push(...(await logIn(ROUND_SECONDS)))
    flooder.send('start')
    flooded.push(...(await logIn(ROUND_SECONDS)))
    const replies = nextMessage<Flooded>(flooder)
    flooder.send('stop')
    for (const [outcome, count] of Object.entries(await replies)) {
      flood[outcome] = (flood[outcome] ?? 0) + count
    }
  }
  for (const child of [worker, flooder, daemon, op]) await stop(child)
  const [quiet, busy] = [latencyOf(alone), latencyOf(flooded)]
  const ratio = { p50: busy.p50 / quiet.p50, p99: busy.p99 / quiet.p99 }
  return { alone: quiet, flooded: busy, ratio, logins: flooded.length, flood }
}

function latencyOf(samples: number[]): Latency {
  const sorted = samples.toSorted((a, b) => a - b)
  return { p50: median(sorted), p99: sorted[Math.floor(sorted.length * 0.99)] as number }
}
