/** A peer that is no client: writes any bytes, and shows what came. */
import { connect, type Socket } from 'node:net'
import {
  type Decoder,
  type Encode,
  encodeJson,
  encodeMsgpack,
  JsonDecoder,
  MSGPACK_MAGIC,
  MsgpackDecoder,
} from '../../sdk/src/framing/index.js'
import type { DialectName, Reply } from './wire.js'

/** What opens a connection, and how its frames are written and read. */
export const openings: Record<DialectName, { magic: Buffer; encode: Encode; decoder(): Decoder }> =
  {
    json: { magic: Buffer.alloc(0), encode: encodeJson, decoder: () => new JsonDecoder() },
    msgpack: { magic: MSGPACK_MAGIC, encode: encodeMsgpack, decoder: () => new MsgpackDecoder() },
  }

/** Writes each piece in a turn of its own, half-closes, and reads until the daemon closes. */
export async function exchange(path: string, pieces: Iterable<Buffer>): Promise<Buffer> {
  const socket = connect({ path, allowHalfOpen: true })
  const chunks: Buffer[] = []
  socket.on('data', (chunk) => chunks.push(chunk))
  const closed = new Promise<void>((resolve) => {
    // A daemon that gave the connection up may reset what was still on its way.
    socket.on('error', () => socket.destroy())
    socket.on('close', () => resolve())
  })
  for (const piece of pieces) await written(socket, piece)
  socket.end()
  await closed
  return Buffer.concat(chunks)
}

/** Every reply in a stream. @throws FrameError for one that cannot be read */
export function repliesIn(dialect: DialectName, bytes: Buffer): Reply[] {
  return openings[dialect]
    .decoder()
    .push(bytes)
    .map((frame) => {
      if ('error' in frame) throw frame.error
      return frame.message as Reply
    })
}

/** A msgpack frame of any bytes. @param length what it says of itself, if not the truth */
export function framed(body: Buffer, length = body.length): Buffer {
  const frame = Buffer.alloc(4 + body.length)
  frame.writeUInt32BE(length)
  body.copy(frame, 4)
  return frame
}

/** Connected, with its errors ignored. */
export async function connected(path: string): Promise<Socket> {
  const socket = connect({ path })
  socket.on('error', () => socket.destroy())
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })
  return socket
}

function written(socket: Socket, piece: Buffer): Promise<void> {
  return new Promise((resolve) => {
    socket.once('close', resolve)
    socket.write(piece, () => {
      socket.off('close', resolve)
      resolve()
    })
  })
}
