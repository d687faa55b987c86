/** What is compared: the same lines of work, done by either side. */
import type { CpuTime } from './cpu.js'

export const lineNames = ['url', 'login', 'ping'] as const
export const sideNames = ['relyd', 'openid-client'] as const

export type LineName = (typeof lineNames)[number]
export type SideName = (typeof sideNames)[number]

/** One side in its process, ready for work: each line is a function that does one operation. */
export type Side = Record<LineName, () => Promise<unknown>> & {
  /** What this side's processes have used so far. */
  cpu(): CpuTime
  close(): Promise<void>
}

/** What both sides are told of the run. */
export interface Setting {
  /** Everything that the run writes lies here. */
  folder: string
  issuer: string
  /** relyd's Unix socket. */
  socket: string
  daemon_pid: number
}

/** The website as the OP knows it, to both sides alike. */
export const website = {
  client_id: 'bench',
  client_secret: 'ThisSecretOpensNothing',
  redirect_uri: 'https://site.example/callback',
  scope: ['openid', 'profile', 'email'],
} as const
