/** Tells what a message from the daemon is. */
import { type CommandError, ProtocolError, TransportError } from './errors.js'

/** A command's reply. */
export type Reply = { id: unknown; data: unknown } | { id: unknown; refusal: Refusal }

/** What the daemon sends to who subscribed. */
export interface DaemonEvent {
  event: string
  data: Record<string, unknown>
}

/** Why the daemon refused a command. */
export type Refusal = ConstructorParameters<typeof CommandError>[1]

/**
 * @returns undefined for what a later version may send without being asked
 * @throws {ProtocolError} if the message is none of the protocol, or says that the daemon could
 *   not read what it was sent and so cannot tell whose reply this is
 * @throws {TransportError} if the daemon takes no more connections
 */
export function readMessage(message: unknown): Reply | DaemonEvent | undefined {
  if (!isObject(message)) throw new ProtocolError('relyd sent a message that is not an object')
  const { id, event, status, data } = message
  if (id === undefined) {
    return typeof event === 'string' && isObject(data) ? { event, data } : undefined
  }
  if (status === 'ok' && id !== null) return { id, data }
  if (status !== 'error' || !isObject(data) || typeof data['error'] !== 'string') {
    throw new ProtocolError('relyd sent a reply of an unknown form')
  }
  const refusal: Refusal = {
    error: data['error'],
    error_description: String(data['error_description'] ?? data['error']),
    request_id: typeof data['request_id'] === 'string' ? data['request_id'] : undefined,
    details: isObject(data['details']) ? data['details'] : undefined,
    retryable: data['retryable'] === true,
    spec: typeof data['spec'] === 'string' ? data['spec'] : undefined,
  }
  if (id !== null) return { id, refusal }
  const words = `relyd refused the connection: ${refusal.error_description} (${refusal.error})`
  // As many are open as may be: the daemon has looked at nothing that came over this one.
  if (refusal.error === 'quota_exceeded') {
    throw new TransportError('ERR_UNREACHABLE', words, 'not_executed')
  }
  throw new ProtocolError(words)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
