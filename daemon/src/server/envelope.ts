/** Requests and replies as both dialects carry them. */
import { CommandError, type ErrorData } from '../errors.js'
import { isObject } from '../is_object.js'

export type RequestId = string | number | null

export interface Request {
  /** Comes back with the reply; null where the caller sent none. */
  id: RequestId
  command: string
  params: Record<string, unknown>
  /** It brought no object as params, which is no fault of its envelope. */
  lacks_params?: true
}

export type Reply =
  | { id: RequestId; status: 'ok'; data: object }
  | { id: RequestId; status: 'error'; data: ErrorData }

const ID_LENGTH = 128

/** A request, or what is wrong with it; the id of a malformed one is still in place for its error's reply. */
export interface ReadRequest {
  id: RequestId
  request: Request | CommandError
}

/** Of the json and the msgpack dialect. */
export function readRequest(message: unknown): ReadRequest {
  if (!isObject(message)) {
    return { id: null, request: invalid('a request is an object with command and params') }
  }
  const { id = null, command, params = {}, ...unknown } = message
  if (!isId(id)) {
    return {
      id: null,
      request: invalid(`id must be a number up to 2^53-1, or a string of up to ${ID_LENGTH}`),
    }
  }
  const stray = Object.keys(unknown)[0]
  if (stray !== undefined) {
    return { id, request: invalid('a request has id, command and params; others go into params') }
  }
  if (typeof command !== 'string') {
    return { id, request: invalid('command is missing: {"command":"ping"}') }
  }
  if (!isObject(params)) return { id, request: invalid('params must be an object') }
  return { id, request: { id, command, params } }
}

export function errorReply(id: RequestId, error: CommandError, request_id: string): Reply {
  return {
    id,
    status: 'error',
    data: {
      error: error.code,
      error_description: error.message,
      request_id,
      retryable: error.retryable,
      ...(error.spec !== undefined && { spec: error.spec }),
      ...(error.details && { details: error.details }),
    },
  }
}

function invalid(what: string): CommandError {
  return new CommandError('invalid_frame', what)
}

function isId(id: unknown): id is RequestId {
  if (id === null || (typeof id === 'string' && id.length <= ID_LENGTH)) return true
  // A larger number would come back as another one.
  return typeof id === 'number' && Math.abs(id) <= Number.MAX_SAFE_INTEGER
}
