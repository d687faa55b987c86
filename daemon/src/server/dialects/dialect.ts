/** How a connection speaks, chosen by its first byte. Handlers never learn which. */
import type { Encode, Frame } from '@relyd/sdk/framing'
import type { ReadRequest } from '../envelope.js'
import { json } from './json.js'
import { msgpack } from './msgpack.js'
import { oxd } from './oxd.js'

/** What tells whether a frame came twice, of clients that may write one so. */
export interface Mark {
  /** The same for the same bytes. */
  digest: string
  /** Bytes of the connection that came before it. */
  at: number
}

export type RequestFrame = Frame & { mark?: Mark }

/** Turns what a connection sends into requests. */
export interface RequestDecoder {
  push(chunk: Buffer): RequestFrame[]
  readonly pending: number
}

export interface Dialect {
  name: string
  /** Bytes that open the connection and belong to no frame. */
  magic: Buffer
  decoder(): RequestDecoder
  /** Encodes the envelope of a reply, or an event. */
  encode: Encode
  /** Bytes of the longest reply, and how a person is told. */
  longest_reply: { bytes: number; told: string }
  readRequest(message: unknown): ReadRequest
  /** Requests of one connection that run at the same time; further ones wait unread. Of one, replies keep the order. */
  in_flight: number
  /** Whether a connection that nobody uses is closed after `idle_timeout`. */
  may_be_closed_idle: boolean
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
  if (first >= 0x30 && first <= 0x39) return { dialect: oxd }
  return {
    refusal: 'this is the socket of relyd: send one JSON object a line, or use its SDK',
  }
}
