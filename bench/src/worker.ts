/** The process of one side: works for as long as it is told, and says what that took. */
import type { CpuTime } from './cpu.js'
import { openidClientSide } from './openid_client_side.js'
import { relydSide } from './relyd_side.js'
import type { LineName, Setting, Side, SideName } from './side.js'

/** What the parent asks for. */
export interface Round {
  line: LineName
  /** Operations that run at the same time. */
  in_flight: number
  seconds: number
  /** Whether each operation's time is wanted. */
  latencies?: boolean
}

/** What a round came to. */
export interface Outcome {
  operations: number
  seconds: number
  /** Microseconds, over all operations. */
  cpu: CpuTime
  /** Milliseconds of each operation, if asked for. */
  latencies: number[]
}

const [name, setting] = process.argv.slice(2) as [SideName, string]
const side = await (name === 'relyd' ? relydSide : openidClientSide)(JSON.parse(setting) as Setting)

process.once('disconnect', () => process.exit())
process.on('SIGTERM', () => {
  void side.close().finally(() => process.exit())
})
// What rejects ends the process, and with it the run.
process.on('message', async (round: Round) => {
  process.send?.(await work(side, round))
})
process.send?.('ready')

async function work(
  side: Side,
  { line, in_flight, seconds, latencies: wanted = false }: Round,
): Promise<Outcome> {
  const operation = side[line]
  const before = side.cpu()
  const started = performance.now()
  const end = started + seconds * 1000
  const latencies: number[] = []
  let operations = 0
  const keepBusy = async (): Promise<void> => {
    do {
      const began = performance.now()
      await operation()
      if (wanted) latencies.push(performance.now() - began)
      operations += 1
    } while (performance.now() < end)
  }
  await Promise.all(Array.from({ length: in_flight }, keepBusy))
  const elapsed = (performance.now() - started) / 1000
  const after = side.cpu()
  return {
    operations,
    seconds: elapsed,
    cpu: { client: after.client - before.client, daemon: after.daemon - before.daemon },
    latencies,
  }
}
