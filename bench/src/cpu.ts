/** CPU time of processes, user and system together, from the scheduler's own count. */
import { readdirSync, readFileSync } from 'node:fs'

/** Microseconds of CPU that a side used, by process. */
export interface CpuTime {
  /** Of the website's process. */
  client: number
  /** Of relyd; none on the other side. */
  daemon: number
}

/** Microseconds that this process has used. */
export function ownCpu(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

/**
 * Microseconds that another process has used, over all its threads. `/proc/PID/stat` would count
 * in hundredths of a second, too coarse for a round; this counts in nanoseconds. A thread that
 * ended is no longer counted; Node keeps its threads.
 */
export function cpuOf(pid: number): number {
  const tasks = `/proc/${pid}/task`
  const nanoseconds = readdirSync(tasks).map((task) =>
    Number(readFileSync(`${tasks}/${task}/schedstat`, 'latin1').split(' ', 1)[0]),
  )
  return nanoseconds.reduce((sum, one) => sum + one, 0) / 1000
}
