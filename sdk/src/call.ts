/** A call on its way: its frame, where it was written, and what is known of its outcome when it fails. */
import type { CommandTraits } from './call_options.js'
import type { Channel } from './channel.js'
import { CommandError, ProtocolError, TransportError } from './errors.js'
import { encodeMsgpack, MAX_FRAME_BYTES } from './framing/index.js'
import { findMsgpackFault } from './framing/msgpack_scan.js'

const LENGTH_BYTES = 4

/** About what a call takes besides its frame: promise, timer, listeners. */
const CALL_BYTES = 1024

/** A call without its reply: queued, or written to a channel. */
export interface Call {
  id: number
  command: string
  retry: CommandTraits['retry']
  /** It may wait for the OP. */
  op: boolean
  frame: Buffer
  /** Where it was written and may be executed; undefined while it is queued. */
  channel: Channel | undefined
  /** Its connection broke once, and it is sent again: whatever happens now, it may have been executed. */
  resent: boolean
  /** Why it is queued still: no daemon was reached, or one that is shutting down did not execute it. */
  setback: Error | undefined
  fail(error: Error): void
  succeed(data: unknown): void
}

/** Bytes of memory that a call is counted for. */
export function weightOf(call: Call): number {
  return call.frame.length + CALL_BYTES
}

/**
 * A frame the daemon cannot read would cost everybody their connection, so it is checked as the
 * daemon will.
 *
 * @throws {ProtocolError} if the params cannot be sent
 */
export function encodeCall(id: number, command: string, params: object): Buffer {
  let frame: Buffer
  try {
    frame = encodeMsgpack({ id, command, params })
  } catch (error) {
    throw unsendable(command, (error as Error).message, error)
  }
  const body = frame.subarray(LENGTH_BYTES)
  if (body.length > MAX_FRAME_BYTES) {
    throw unsendable(command, `they are larger than ${MAX_FRAME_BYTES} bytes`)
  }
  const fault = findMsgpackFault(body)
  if (fault) throw unsendable(command, `${fault}; send what JSON can express`)
  return frame
}

function unsendable(command: string, why: string, cause?: unknown): ProtocolError {
  return new ProtocolError(`the params of ${command} cannot be sent: ${why}`, { cause })
}

/** The client was closed. */
export function closed(command: string, outcome: TransportError['outcome']): TransportError {
  return new TransportError('ERR_CLOSED', `${command}: client closed; ${say(outcome)}`, outcome)
}

/** So much waits that one call more would only take memory. */
export function busy(command: string, waiting: number): TransportError {
  const why = `${waiting} calls wait for their replies, as many as are kept`
  const cure = 'make fewer at once, or look why relyd is slow'
  const message = `${command}: ${why}; ${say('not_executed')}; ${cure}`
  return new TransportError('ERR_BUSY', message, 'not_executed')
}

/**
 * The connection over which the call went broke.
 *
 * @param name the daemon's address
 */
export function lost(call: Call, name: string, cause: Error | undefined): TransportError {
  const hint = call.channel?.wantedTls
    ? ". If relyd's listener there has TLS, the site's cfg needs tls_ca, tls_certificate and tls_key"
    : ''
  const message = `the connection to ${name} broke before the reply to ${call.command}; ${say('unknown')}${hint}`
  return new TransportError('ERR_CLOSED', message, 'unknown', cause)
}

/** The caller gave the call up. @param cause the reason of the caller's signal */
export function aborted(call: Call, cause: unknown): TransportError {
  const outcome = outcomeOf(call)
  const message = `${call.command} was aborted; ${say(outcome)}`
  return new TransportError('ERR_ABORTED', message, outcome, cause)
}

/** Time is up: tells what kept the call from being sent, if something did. */
export function timedOut(call: Call, name: string, timeout_ms: number): Error {
  if (call.setback) return notSent(call, call.setback)
  const outcome = outcomeOf(call)
  const message = `no reply to ${call.command} from ${name} in ${timeout_ms} ms; ${say(outcome)}`
  return new TransportError('ERR_TIMEOUT', message, outcome)
}

/** It could not be sent, or not again. */
export function notSent(call: Call, why: Error): Error {
  if (!call.resent) return why
  const message = `${why.message}; before, the connection broke under ${call.command}: ${say('unknown')}`
  const code = why instanceof CommandError ? 'ERR_CLOSED' : 'ERR_UNREACHABLE'
  return new TransportError(code, message, 'unknown', why.cause)
}

/** What a caller is told when the client is closed under a call. */
export function outcomeOf(call: Call): TransportError['outcome'] {
  return call.channel || call.resent ? 'unknown' : 'not_executed'
}

function say(outcome: TransportError['outcome']): string {
  return outcome === 'unknown'
    ? 'its outcome is unknown: relyd may have executed it'
    : 'it was not executed'
}
