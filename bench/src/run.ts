/** Starts both sides, lets them work in turn, and takes the medians. */
import type { ChildProcess } from 'node:child_process'
import { nextMessage, startModule, stop } from './children.js'
import { startDaemon } from './daemon.js'
import { median } from './median.js'
import { type LineName, type Setting, type SideName, sideNames } from './side.js'
import type { Outcome, Round } from './worker.js'

/** Operations at the same time: one visitor alone, and a busy website. */
export const IN_FLIGHT = [1, 64]
export const ROUNDS = 5
export const ROUND_SECONDS = 1
const WARM_UP_SECONDS = 0.5

/** For more logins in a minute than a site has. */
const ROOM = `pending_logins_per_site = 10000000
pending_logins = 10000000
sessions_per_site = 10000000
sessions = 10000000`

/** Medians over the rounds of a side. CPU is in microseconds an operation. */
export interface Figures {
  rate: number
  cpu: number
  cpu_client: number
  cpu_daemon: number
}

/** relyd's figure divided by openid-client's: median of what the two rounds of each pair gave. */
export interface Ratios {
  rate: number
  cpu: number
}

export interface Row {
  line: LineName
  in_flight: number
  sides: Record<SideName, Figures>
  ratio: Ratios
}

/** @yields a row for each line and number of operations in flight */
export async function* measure(
  lines: readonly LineName[],
  folder: string,
  node_options: string[],
): AsyncGenerator<Row> {
  const op = startModule('op.js')
  const issuer = await nextMessage<string>(op)
  const { daemon, socket } = await startDaemon(folder, node_options, ROOM)
  const workers = await startWorkers({ folder, issuer, socket, daemon_pid: daemon.pid as number })
  for (const line of lines) {
    for (const in_flight of IN_FLIGHT) yield await measureRow(workers, line, in_flight)
  }
  for (const child of [...Object.values(workers), daemon, op]) await stop(child)
}

type Workers = Record<SideName, ChildProcess>

async function startWorkers(setting: Setting): Promise<Workers> {
  const start = async (side: SideName) => {
    const worker = startModule('worker.js', [side, JSON.stringify(setting)])
    await nextMessage(worker)
    return worker
  }
  return { relyd: await start('relyd'), 'openid-client': await start('openid-client') }
}

async function measureRow(workers: Workers, line: LineName, in_flight: number): Promise<Row> {
  const work = async (side: SideName, seconds: number): Promise<Figures> => {
    const round: Round = { line, in_flight, seconds }
    const outcome = nextMessage<Outcome>(workers[side])
    workers[side].send(round)
    return figuresOf(await outcome)
  }
  for (const side of sideNames) await work(side, WARM_UP_SECONDS)
  const pairs: Record<SideName, Figures>[] = []
  for (let round = 0; round < ROUNDS; round += 1) {
    pairs.push({
      relyd: await work('relyd', ROUND_SECONDS),
      'openid-client': await work('openid-client', ROUND_SECONDS),
    })
  }
  const ratio = (name: keyof Ratios) =>
    median(pairs.map(({ relyd, 'openid-client': other }) => relyd[name] / other[name]))
  return {
    line,
    in_flight,
    sides: {
      relyd: medians(pairs.map(({ relyd }) => relyd)),
      'openid-client': medians(pairs.map((pair) => pair['openid-client'])),
    },
    ratio: { rate: ratio('rate'), cpu: ratio('cpu') },
  }
}

function figuresOf({ operations, seconds, cpu }: Outcome): Figures {
  return {
    rate: operations / seconds,
    cpu: (cpu.client + cpu.daemon) / operations,
    cpu_client: cpu.client / operations,
    cpu_daemon: cpu.daemon / operations,
  }
}

function medians(rounds: Figures[]): Figures {
  const of = (name: keyof Figures) => median(rounds.map((round) => round[name]))
  return {
    rate: of('rate'),
    cpu: of('cpu'),
    cpu_client: of('cpu_client'),
    cpu_daemon: of('cpu_daemon'),
  }
}
