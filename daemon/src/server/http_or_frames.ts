/** Tells HTTP from the dialects by a connection's first byte, on a socket where both are spoken. */
import type { Server as HttpServer } from 'node:http'
import type { Socket } from 'node:net'

export type { HttpServer }

const A = 0x41
const Z = 0x5a

/**
 * Hands the connection on once its first byte has come; no dialect begins with a capital letter, and
 * every HTTP verb does.
 *
 * @param accept takes what is not HTTP
 * @param seconds that the first byte may take
 */
export function tellApart(
  socket: Socket,
  http: HttpServer,
  accept: (socket: Socket) => void,
  seconds: number,
): void {
  const giveUp = () => socket.destroy()
  socket.setTimeout(seconds * 1000, giveUp)
  socket.on('error', giveUp)
  socket.on('end', giveUp)
  socket.once('data', (chunk) => {
    socket.setTimeout(0)
    for (const event of ['timeout', 'error', 'end']) socket.off(event, giveUp)
    socket.pause()
    socket.unshift(chunk)
    const first = chunk[0] as number
    if (first >= A && first <= Z) http.emit('connection', socket)
    else accept(socket)
    process.nextTick(() => socket.resume())
  })
}
