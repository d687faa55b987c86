/** The end of a connection, however it came. */
import type { Socket } from 'node:net'

/** Unlike `events.once`, which would reject for a reset. */
export function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('close', () => resolve())
  })
}
