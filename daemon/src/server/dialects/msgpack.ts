/** The msgpack dialect: for the SDK. */
import { encodeMsgpack, MSGPACK_MAGIC, MsgpackDecoder } from '@relyd/sdk/framing'
import type { Dialect } from './dialect.js'

export const msgpack: Dialect = {
  name: 'msgpack',
  magic: MSGPACK_MAGIC,
  decoder: () => new MsgpackDecoder(),
  encode: encodeMsgpack,
}
