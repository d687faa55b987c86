/** The msgpack dialect: for the SDK. */
import { encodeMsgpack, MAX_FRAME_BYTES, MSGPACK_MAGIC, MsgpackDecoder } from '@relyd/sdk/framing'
import { readRequest } from '../envelope.js'
import type { Dialect } from './dialect.js'

export const msgpack: Dialect = {
  name: 'msgpack',
  magic: MSGPACK_MAGIC,
  decoder: () => new MsgpackDecoder(),
  encode: encodeMsgpack,
  longest_reply: { bytes: MAX_FRAME_BYTES, told: `${MAX_FRAME_BYTES} bytes` },
  readRequest,
  in_flight: 256,
  may_be_closed_idle: true,
}
