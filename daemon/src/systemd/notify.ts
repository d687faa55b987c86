/**
 * What relyd tells systemd of itself: ready, alive, reloading, stopping.
 *
 * @see sd_notify(3)
 */
import { execFile } from 'node:child_process'
import { bounded } from '../errors.js'
import type { Log } from '../log.js'

/** Characters of a status; `systemctl status` has one line for it. */
const STATUS = 200

/** Milliseconds that one message may take. The program itself waits 5 s for systemd to have read it. */
const LONGEST = 10_000

/** Where the program is; what else the daemon's PATH holds is not asked. */
const PATH = '/usr/bin:/bin'

export interface ServiceManagerOptions {
  /** `NOTIFY_SOCKET`; without one nobody wants to know. */
  socket: string | undefined
  /** A search path for systemd-notify. */
  path?: string
}

/**
 * Node has no datagram sockets of Unix, so the program systemd-notify sends each message, one after
 * the other: systemd shall see them in their order. That it fails is told once, and ends nothing.
 */
export class ServiceManager {
  readonly #log: Log
  readonly #options: ServiceManagerOptions
  #sent: Promise<void> = Promise.resolve()
  #failed = false

  constructor(log: Log, options: ServiceManagerOptions = takeNotifySocket()) {
    this.#log = log
    this.#options = options
  }

  /** Whether somebody listens. */
  get present(): boolean {
    return Boolean(this.#options.socket)
  }

  /** It serves, from its start or again after {@link reloading}. */
  ready(status: string): Promise<void> {
    return this.#send('READY=1', statusOf(status))
  }

  /** It takes its configuration over anew; {@link ready} must follow, whatever comes of it. */
  reloading(status: string): Promise<void> {
    return this.#send('RELOADING=1', statusOf(status))
  }

  /** @param status one line for `systemctl status`; never a secret, for it stands in a process list */
  status(status: string): Promise<void> {
    return this.#send(statusOf(status))
  }

  stopping(status: string): Promise<void> {
    return this.#send('STOPPING=1', statusOf(status))
  }

  /** A sign of life for the watchdog. */
  alive(): Promise<void> {
    return this.#send('WATCHDOG=1')
  }

  /** Resolves when everything was sent. */
  settled(): Promise<void> {
    return this.#sent
  }

  /** Never rejects. */
  #send(...assignments: string[]): Promise<void> {
    const { socket, path = PATH } = this.#options
    if (!socket) return Promise.resolve()
    const env = { NOTIFY_SOCKET: socket, PATH: path }
    const send = () =>
      new Promise<void>((resolve) => {
        const options = { env, timeout: LONGEST, killSignal: 'SIGKILL' as const }
        execFile('systemd-notify', assignments, options, (error) => {
          if (error) this.#warn(error.message)
          resolve()
        })
      })
    this.#sent = this.#sent.then(send)
    return this.#sent
  }

  #warn(why: string): void {
    if (this.#failed) return
    this.#failed = true
    this.#log.warn(
      { why: bounded(why) },
      'systemd-notify failed: systemd does not hear whether relyd is ready and alive',
    )
  }
}

/** Taken out of the environment, so that no other child can speak for the daemon. */
function takeNotifySocket(environment: NodeJS.ProcessEnv = process.env): ServiceManagerOptions {
  const { NOTIFY_SOCKET } = environment
  delete environment['NOTIFY_SOCKET']
  return { socket: NOTIFY_SOCKET }
}

/** In one line: a second one would be another assignment. */
function statusOf(text: string): string {
  return `STATUS=${bounded(text, STATUS)}`
}
