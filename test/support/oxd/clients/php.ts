/** oxd-php: a connection a command, every request is written twice, one read is the reply, and its prefix is taken out wherever it stands. */
import { BlockingSocket } from './blocking_socket.js'
import { asciiJson, type Connect, zeroBefore } from './client.js'

export const php: Connect = (where) => ({
  name: 'oxd-php',
  async request(command, params = {}) {
    const socket = await BlockingSocket.connect(where, 8192)
    try {
      const body = asciiJson({ command, params })
      const request = `${zeroBefore(body.length)}${body}`
      await Promise.all([socket.send(request), socket.send(request)])
      const reply = (await socket.recv()).toString()
      return JSON.parse(reply.replaceAll(reply.substring(0, 4), ''))
    } finally {
      socket.close()
    }
  },
  close: () => {},
})
