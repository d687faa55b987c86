/** oxd-python's SocketMessenger, all versions: one socket for the client's life, reads of 1024 bytes. */
import type { OxdReply } from '../oxd_wire.js'
import { BlockingSocket } from './blocking_socket.js'
import { asciiJson, type Connect } from './client.js'

export const python: Connect = (where) => {
  let socket: BlockingSocket | undefined
  return {
    name: 'oxd-python',
    async request(command, params = {}): Promise<OxdReply> {
      socket ??= await BlockingSocket.connect(where, 1024)
      const body = asciiJson({ command, params })
      await socket.send(`${String(body.length).padStart(4, '0')}${body}`)
      const parts: Buffer[] = []
      let length = 0
      let received = 0
      do {
        let part = await socket.recv()
        // It connects anew, and waits for a reply to what it does not send again.
        if (part.length === 0) throw new Error('Socket connection broken, read empty.')
        if (length === 0) {
          length = int(part.toString('latin1', 0, 4))
          part = part.subarray(4)
        }
        received += part.length
        parts.push(part)
      } while (received < length)
      return JSON.parse(Buffer.concat(parts).toString())
    },
    close: () => socket?.close(),
  }
}

/** As Python's int() reads it. */
function int(text: string): number {
  if (!/^\s*\d+\s*$/.test(text)) throw new Error(`ValueError: invalid literal for int(): ${text}`)
  return Number(text)
}
