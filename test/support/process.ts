/** What the kernel knows of a process. */
import { readdirSync, readFileSync } from 'node:fs'

/** Environment of a Node whose young objects take as little as may be, so that what stays is seen. */
export const SMALL_YOUNG = { NODE_OPTIONS: '--max-semi-space-size=4' }

/** How many descriptors it has open. */
export function openDescriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length
}

/** Memory that it occupies, in MiB. */
export function residentMib(pid: number): number {
  const [, kib] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kib) / 1024
}
