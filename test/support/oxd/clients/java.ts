/** oxd's own Java client: UTF-16 units counted both ways, one connection, read until the reply is whole. */
import { BlockingSocket } from './blocking_socket.js'
import type { Connect } from './client.js'

export const java: Connect = (where) => {
  let socket: BlockingSocket | undefined
  return {
    name: 'oxd-java',
    async request(command, params = {}) {
      socket ??= await BlockingSocket.connect(where, 8192)
      const body = JSON.stringify({ command, params })
      await socket.send(`${String(body.length).padStart(4, '0')}${body}`)
      const decoder = new TextDecoder()
      for (let received = ''; ; ) {
        const part = await socket.recv()
        if (part.length === 0) throw new Error('End of stream. Quit.')
        received += decoder.decode(part, { stream: true })
        const length = Number(received.slice(0, 4))
        if (received.length < 4 || received.length < 4 + length) continue
        // What follows in the same read it drops.
        return JSON.parse(received.slice(4, 4 + length))
      }
    },
    close: () => socket?.close(),
  }
}
