/** How a connection speaks, chosen by its first byte. Handlers never learn which. */
import type { Decoder, Encode } from '@relyd/sdk/framing'
import { json } from './json.js'
import { msgpack } from './msgpack.js'

export interface Dialect {
  name: string
  /** Bytes that open the connection and belong to no frame. */
  magic: Buffer
  decoder(): Decoder
  /** Encodes the envelope of a reply. Events will go the same way, without an `id`. */
  encode: Encode
}

/** In bytes. */
export const LONGEST_MAGIC = msgpack.magic.length

export type Choice = { dialect: Dialect } | { refusal: string } | 'undecided'

/** White space that a person may type before a JSON text. */
const BLANK = new Set([0x20, 0x09, 0x0a, 0x0d])

/**
 * Chooses by what has arrived so far. Anything that is no dialect is refused before a byte of it
 * is decoded: a web page that posts to the port, a TLS client.
 */
export function chooseDialect(head: Buffer): Choice {
  const first = head.find((byte) => !BLANK.has(byte))
  if (first === undefined) return 'undecided'
  if (first === 0x7b) return { dialect: json }
  if (first === msgpack.magic[0]) {
    const start = head.indexOf(first)
    const opening = head.subarray(start, start + msgpack.magic.length)
    if (start > 0 || !msgpack.magic.subarray(0, opening.length).equals(opening)) {
      return { refusal: 'this daemon speaks version 1 of the msgpack dialect' }
    }
    return opening.length < msgpack.magic.length ? 'undecided' : { dialect: msgpack }
  }
  if (first >= 0x30 && first <= 0x39) {
    // The oxd dialect's place: its adapter is not part of this version.
    return { refusal: 'this daemon does not speak the oxd dialect yet' }
  }
  return {
    refusal: 'this is the socket of relyd: send one JSON object a line, or use its SDK',
  }
}
