/** Answers of an OP, or of whoever speaks for it, that mean harm: written to the socket as they are. */
import type { Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import { json } from './answers.js'
import type { Answer, Takeover } from './types.js'

const CHUNK = 'a'.repeat(16 * 1024)
const JSON_HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n'

/** Writes to the connection below the response. */
function raw(write: (socket: Socket) => void): Takeover {
  return (response) => {
    if (response.socket) write(response.socket)
  }
}

/** Sends `text` and then `part` for ever: as fast as it is read, or one every `ms`. */
function endless(text: string, part: string, ms?: number): Takeover {
  return raw((socket) => {
    socket.write(text)
    const timer = ms === undefined ? undefined : setInterval(() => socket.write(part), ms)
    socket.on('close', () => clearInterval(timer))
    if (timer) return
    const fill = () => {
      while (socket.writable && socket.write(part)) {}
    }
    socket.on('drain', fill)
    fill()
  })
}

/** A JSON text nested this deep. */
export function nested(depth: number): string {
  return `${'{"a":['.repeat(depth / 2)}${']}'.repeat(depth / 2)}`
}

/** 64 MB of spaces around an empty object, in some 64 KB. */
export const gzipBomb: Answer = json(gzipSync(Buffer.alloc(64 * 1024 * 1024, ' ')), 200, {
  'content-encoding': 'gzip',
})

/** The same slowly: nobody waits for a body that is refused by its head. */
export const slowBomb = endless(
  `${JSON_HEAD}content-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n`,
  '1\r\na\r\n',
  20,
)

export const endlessBody = endless(
  `${JSON_HEAD}transfer-encoding: chunked\r\n\r\n`,
  `4000\r\n${CHUNK}\r\n`,
)

/** Says that ten gigabytes follow. */
export const boast = endless(`${JSON_HEAD}content-length: 10000000000\r\n\r\n`, CHUNK)

export const endlessHeaders = endless('HTTP/1.1 200 OK\r\n', `x-more: ${CHUNK}\r\n`)

export const endlessHeader = endless('HTTP/1.1 200 OK\r\nx-long: ', CHUNK)

export const endlessStatus = endless('HTTP/1.1 200 ', CHUNK)

export const endlessTrailers = endless(
  `${JSON_HEAD}transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n`,
  `x-more: ${CHUNK}\r\n`,
)

export const endlessChunkHead = endless(`${JSON_HEAD}transfer-encoding: chunked\r\n\r\n1;`, CHUNK)

export const slowHeaders = endless('HTTP/1.1 200 OK\r\nx-slow: ', 'a', 20)

export const slowError = endless(
  'HTTP/1.1 500 Oops\r\ntransfer-encoding: chunked\r\n\r\n',
  '1\r\na\r\n',
  20,
)

/** Informational answers (RFC 9110 15.2) that never become a final one. */
export const endlessHints = endless('', 'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n', 5)

export const goOn = raw((socket) => socket.write('HTTP/1.1 100 Continue\r\n\r\n'))

export const upgrade = raw((socket) =>
  socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'),
)

export const noHttp = raw((socket) => socket.write('SSH-2.0-OpenSSH_9.2p1\r\n'))

/** Two lengths, of which a middlebox may believe the other (RFC 9112 6.3). */
export const twoLengths = raw((socket) =>
  socket.write(`${JSON_HEAD}content-length: 2\r\ncontent-length: 40\r\n\r\n{}`),
)

/** An answer and, unasked, the next one: whoever asks next must not get it. */
export const twoAnswers = raw((socket) => {
  const evil = '{"sub":"mallory"}'
  const one = `${JSON_HEAD}content-length: ${evil.length}\r\n\r\n${evil}`
  socket.write(one + one)
})
