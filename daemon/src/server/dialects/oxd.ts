/** The oxd dialect: for the client libraries of oxD, whatever their language and version. */
import { CommandError } from '../../errors.js'
import { isObject } from '../../is_object.js'
import type { ReadRequest } from '../envelope.js'
import type { Dialect } from './dialect.js'
import { encodeOxd, LONGEST, OxdDecoder } from './oxd_frames.js'

export const oxd: Dialect = {
  name: 'oxd',
  magic: Buffer.alloc(0),
  decoder: () => new OxdDecoder(),
  encode: encodeOxd,
  longest_reply: { bytes: 4 + LONGEST, told: `${LONGEST} characters` },
  readRequest,
  // Replies carry no id: their order tells which is whose.
  in_flight: 1,
  // Clients hold one connection for their life, and lose a request where it is closed.
  may_be_closed_idle: false,
}

function readRequest(message: unknown): ReadRequest {
  const { command, params } = isObject(message) ? message : {}
  if (typeof command !== 'string') {
    return { id: null, request: new CommandError('unsupported_operation', 'command is missing') }
  }
  const request = { id: null, command: command.toLowerCase() }
  return {
    id: null,
    request: isObject(params)
      ? { ...request, params }
      : { ...request, params: {}, lacks_params: true },
  }
}
