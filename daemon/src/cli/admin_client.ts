/** Asks the running daemon, over its admin socket. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { addAbortSignal } from 'node:stream'
import { JsonDecoder } from '@relyd/sdk/framing'
import type { adminCommands } from '../admin/commands/index.js'
import type { Values } from '../command.js'
import { loadConfig } from '../config/load.js'
import type { ErrorData } from '../errors.js'
import type { Reply } from '../server/envelope.js'
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
    return await replyFrom(addAbortSignal(AbortSignal.timeout(timeout_ms), socket))
  } catch (error) {
    if (error instanceof CliError) throw error
    const isLate = error instanceof Error && error.name === 'AbortError'
    throw new CliError(
      exitCodes.unreachable,
      isLate ? `relyd did not answer for ${timeout_ms / 1000} seconds` : CLOSED,
      { cause: error },
    )
  } finally {
    socket.destroy()
  }
}

const CLOSED = 'relyd closed the connection without an answer'

async function replyFrom(socket: Socket): Promise<Reply> {
  // Not readline, to which on newer versions of Node a line ends at U+2028 too.
  const decoder = new JsonDecoder()
  for await (const chunk of socket) {
    const [frame] = decoder.push(chunk as Buffer)
    if (!frame) continue
    if ('message' in frame) return frame.message as Reply
    throw new CliError(exitCodes.failed, `relyd's answer is none: ${frame.error.message}`)
  }
  throw new CliError(exitCodes.unreachable, CLOSED)
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
