/** oxd-node: a connection a command; of 3.1, the first chunk is the reply. */
import { connect, type Socket } from 'node:net'
import type { OxdReply } from '../oxd_wire.js'
import type { Connect } from './client.js'

/** Why nothing leaves it, or what does. */
type Prefix = (length: number) => string

/** A length of 100 becomes `00100`. */
const prefixOf314: Prefix = (length) => {
  if (length >= 1000) throw new Error('oxd-node sends nothing of 1000 characters and more')
  return length <= 100 ? `00${length}` : `0${length}`
}

const prefixOf301: Prefix = (length) => {
  if (length === 100) throw new Error('this oxd-node sends nothing of just 100 characters')
  return prefixOf314(length)
}

type Received = { reply: OxdReply } | 'more'

function oxdNode(name: string, prefixOf: Prefix, read: (chunks: string[]) => Received): Connect {
  return (where) => {
    const open = new Set<Socket>()
    return {
      name,
      request: (command, params = {}) =>
        new Promise((resolve, reject) => {
          const body = JSON.stringify({ command, params })
          const socket =
            typeof where === 'string' ? connect(where) : connect({ host: '127.0.0.1', port: where })
          open.add(socket)
          const chunks: string[] = []
          socket.on('connect', () => {
            try {
              socket.write(`${prefixOf(body.length)}${body}`)
            } catch (error) {
              socket.destroy()
              reject(error)
            }
          })
          socket.on('data', (chunk) => {
            chunks.push(chunk.toString())
            try {
              const received = read(chunks)
              if (received === 'more') return
              resolve(received.reply)
              socket.end()
            } catch (error) {
              socket.destroy()
              reject(error)
            }
          })
          socket.on('error', reject)
          socket.on('close', () => {
            open.delete(socket)
            reject(new Error('Connection closed'))
          })
        }),
      close() {
        for (const socket of open) socket.destroy()
      },
    }
  }
}

/** 3.1.2 to 3.1.4. */
export const node = oxdNode('oxd-node 3.1.4', prefixOf314, ([first = '']) => ({
  reply: JSON.parse(first.substring(4, first.length)),
}))

/** It waits for as many characters as the prefix says. */
export const node301 = oxdNode('oxd-node 3.0.1', prefixOf301, (chunks) => {
  const received = chunks.join('')
  const length = Number(received.substring(0, 4))
  if (received.length < 4 + length) return 'more'
  return { reply: JSON.parse(received.substring(4, 4 + length)) }
})
