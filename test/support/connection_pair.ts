/** Both ends of a connection whose commands the test answers itself. */
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { Buffers } from '../../daemon/src/server/buffers.js'
import { Connection } from '../../daemon/src/server/connection.js'
import type { Dispatch } from '../../daemon/src/server/dispatch.js'
import { Turns } from '../../daemon/src/server/turns.js'

export interface ConnectionPair {
  peer: Socket
  connection: Connection
  closed: Promise<unknown>
}

/** Over a Unix socket, until the test has finished. */
export async function connectionPair(dispatch: Dispatch): Promise<ConnectionPair> {
  const folder = mkdtempSync(join(tmpdir(), 'relyd-pair-'))
  const server = createServer({ allowHalfOpen: true }).listen(join(folder, 'socket'))
  const accepted = once(server, 'connection')
  const peer = connect({ path: join(folder, 'socket'), allowHalfOpen: true })
  const [socket] = (await accepted) as [Socket]
  onTestFinished(() => {
    peer.destroy()
    socket.destroy()
    server.close()
    rmSync(folder, { recursive: true })
  })
  const connection = new Connection(socket, {
    dispatch,
    turns: new Turns(),
    buffers: new Buffers(128),
    limits: { frame_timeout: 30, idle_timeout: 3600 },
  })
  return { peer, connection, closed: once(socket, 'close') }
}
