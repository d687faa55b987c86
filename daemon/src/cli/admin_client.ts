/** Asks the running daemon, over its admin socket. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import type { adminCommands } from '../admin/commands/index.js'
import type { Values } from '../command.js'
import { loadConfig } from '../config/load.js'
import type { ErrorData, Reply } from '../server/envelope.js'
import { CliError, exitCodes } from './exit_codes.js'

type AdminCommands = typeof adminCommands

export type AdminName = keyof AdminCommands

type ParamsOf<N extends AdminName> = Values<AdminCommands[N]['params']>

type ResultOf<N extends AdminName> = Values<AdminCommands[N]['result']>

/** Milliseconds that an answer may take: what waits for an OP takes a few times its op_timeout. */
const LONGEST = 120_000

/** What the daemon refused, with its code. */
export class RefusedError extends CliError {
  readonly data: ErrorData

  constructor(data: ErrorData) {
    super(exitCodes.failed, data.error_description)
    this.data = data
  }
}

/**
 * Sends one command to the daemon of this configuration.
 *
 * @param config path of relyd.cfg
 * @throws RefusedError; CliError when the daemon cannot be reached; StartError
 */
export async function askDaemon<N extends AdminName>(
  config: string,
  command: N,
  ...[params]: object extends ParamsOf<N> ? [params?: ParamsOf<N>] : [params: ParamsOf<N>]
): Promise<ResultOf<N>> {
  const { admin_socket } = loadConfig(config).daemon
  const reply = await ask(admin_socket, { command, params: params ?? {} })
  if (reply.status === 'error') throw new RefusedError(reply.data)
  // The daemon checks what it answers against the same declaration, in tests.
  return reply.data as ResultOf<N>
}

export interface AskOptions {
  /** Whose socket it is: who may open it depends on that. */
  whose?: 'operator' | 'site'
  timeout_ms?: number
}

/** @returns the daemon's whole reply to a request over a Unix socket */
export async function ask(
  path: string,
  request: object,
  { whose = 'operator', timeout_ms = LONGEST }: AskOptions = {},
): Promise<Reply> {
  const socket = await open(path, whose)
  try {
    socket.write(`${JSON.stringify({ id: 1, ...request })}\n`)
    const lines = createInterface({ input: socket, crlfDelay: Number.POSITIVE_INFINITY })
    const ended = once(lines, 'close').then(() => {
      throw new CliError(exitCodes.unreachable, 'relyd closed the connection without an answer')
    })
    // It closes after the answer too, when nobody waits for it any more.
    ended.catch(() => {})
    const answer = once(lines, 'line', { signal: AbortSignal.timeout(timeout_ms) })
    const [line] = (await Promise.race([answer, ended])) as [string]
    return JSON.parse(line) as Reply
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'AbortError') throw error
    throw new CliError(
      exitCodes.unreachable,
      `relyd did not answer for ${timeout_ms / 1000} seconds`,
    )
  } finally {
    socket.destroy()
  }
}

async function open(path: string, whose: AskOptions['whose']): Promise<Socket> {
  const socket = connect(path)
  try {
    await once(socket, 'connect')
  } catch (error) {
    const why = whyNot(path, whose, error as NodeJS.ErrnoException)
    throw new CliError(exitCodes.unreachable, why, { cause: error })
  }
  // What comes later is told by the end of its lines.
  socket.on('error', () => socket.destroy())
  return socket
}

function whyNot(
  path: string,
  whose: AskOptions['whose'],
  { code, message }: NodeJS.ErrnoException,
): string {
  switch (code) {
    case 'ENOENT':
    case 'ECONNREFUSED':
      return `relyd is not running: nobody listens on ${path}; see "systemctl status relyd", or name its configuration with --config`
    case 'EACCES':
      return whose === 'operator'
        ? `only root and relyd's own user may open ${path}; run this with sudo`
        : `this user may not open ${path}; as root, "relyd doctor --user NAME" tells what is in the way`
    default:
      return `cannot reach relyd at ${path}: ${message}`
  }
}
