/** The json dialect: for every language, `nc -U` and tests. */
import { encodeJson, JsonDecoder, MAX_FRAME_BYTES } from '@relyd/sdk/framing'
import { readRequest } from '../envelope.js'
import type { Dialect } from './dialect.js'

export const json: Dialect = {
  name: 'json',
  magic: Buffer.alloc(0),
  decoder: () => new JsonDecoder(),
  encode: encodeJson,
  longest_reply: { bytes: MAX_FRAME_BYTES, told: `${MAX_FRAME_BYTES} bytes` },
  readRequest,
  in_flight: 256,
  may_be_closed_idle: true,
}
