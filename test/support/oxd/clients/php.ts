/** oxd-php: every request is written twice, one read is the reply, and its prefix is taken out wherever it stands. */
import { BlockingSocket } from './blocking_socket.js'
import { asciiJson, type Connect, type OxdClient, zeroBefore } from './client.js'

/** As most of its versions: a connection a command. */
export const php: Connect = (where) => ({
  name: 'oxd-php',
  async request(command, params) {
    const socket = await BlockingSocket.connect(where, 8192)
    try {
      return await askTwice(socket, command, params)
    } finally {
      socket.close()
    }
  },
  close: () => {},
})

/** As the oldest, which keep their connection. */
export const persistentPhp: Connect = (where) => {
  let socket: BlockingSocket | undefined
  return {
    name: 'oxd-php, one connection',
    async request(command, params) {
      socket ??= await BlockingSocket.connect(where, 8192)
      return askTwice(socket, command, params)
    },
    close: () => socket?.close(),
  }
}

async function askTwice(
  socket: BlockingSocket,
  command: string,
  params: object = {},
): ReturnType<OxdClient['request']> {
  const body = asciiJson({ command, params })
  const request = `${zeroBefore(body.length)}${body}`
  // Two fwrite without a wait between them.
  await Promise.all([socket.send(request), socket.send(request)])
  const reply = (await socket.recv()).toString()
  return JSON.parse(reply.replaceAll(reply.substring(0, 4), ''))
}
