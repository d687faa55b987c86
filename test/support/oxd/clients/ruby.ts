/** oxd-ruby: a connection a command, characters counted, one read of 8192 bytes. */
import { BlockingSocket } from './blocking_socket.js'
import { type Connect, zeroBefore } from './client.js'

export const ruby: Connect = (where) => ({
  name: 'oxd-ruby',
  async request(command, params = {}) {
    const socket = await BlockingSocket.connect(where, 8192)
    try {
      const body = JSON.stringify({ command, params })
      // Not UTF-16: a character beyond the first plane is one.
      await socket.send(`${zeroBefore([...body].length)}${body}`)
      const reply = (await socket.recv()).toString()
      return JSON.parse(reply.replace(reply.substring(0, 4), ''))
    } finally {
      socket.close()
    }
  },
  close: () => {},
})
