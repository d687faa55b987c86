/** The json dialect: for every language, `nc -U` and tests. */
import { encodeJson, JsonDecoder } from '@relyd/sdk/framing'
import type { Dialect } from './dialect.js'

export const json: Dialect = {
  name: 'json',
  magic: Buffer.alloc(0),
  decoder: () => new JsonDecoder(),
  encode: encodeJson,
}
