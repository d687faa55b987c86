/** Tells HTTP from the dialects by a connection's first byte, on a socket where both are spoken. */
import type { Server as HttpServer } from 'node:http'
import type { Socket } from 'node:net'

export type { HttpServer }

const A = 0x41
const Z = 0x5a

/** What speaks on a connection. */
interface Speakers {
  /** @param takeOver ends the limit of its time, for who limits it from there on */
  http(socket: Socket, takeOver: () => void): void
  frames(socket: Socket): void
}

/**
 * Hands the connection on once its first byte has come; no dialect begins with a capital letter, and
 * every HTTP verb does.
 *
 * @param seconds that the first byte may take; of HTTP all, as Node's own limits begin when a server
 * listens, and one that is given its connections does not
 */
export function tellApart(socket: Socket, seconds: number, speakers: Speakers): void {
  const giveUp = () => socket.destroy()
  const late = setTimeout(giveUp, seconds * 1000)
  const takeOver = () => clearTimeout(late)
  socket.once('close', takeOver)
  socket.on('error', giveUp)
  socket.on('end', giveUp)
  socket.once('data', (chunk) => {
    socket.off('end', giveUp)
    socket.pause()
    socket.unshift(chunk)
    const first = chunk[0] as number
    if (first >= A && first <= Z) speakers.http(socket, takeOver)
    else {
      takeOver()
      speakers.frames(socket)
    }
    process.nextTick(() => socket.resume())
  })
}

/** Answers whoever speaks HTTP that all places are taken. */
export function refuseHttp(socket: Socket): void {
  socket.end('HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n')
}
