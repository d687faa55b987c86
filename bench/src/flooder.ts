/**
 * A website that floods the daemon as hard as it can, in a process of its own: logins that nobody
 * completes, registrations, logins at an OP that never answers, and connections whose replies
 * nobody reads. Its OP is part of it.
 */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { setPriority } from 'node:os'
import { createInterface } from 'node:readline'
import { callbackOf } from './callback.js'
import { website } from './side.js'

/** What the parent is told when the flood has ended: replies by their outcome. */
export type Flooded = Record<string, number>

const LOGIN_CONNECTIONS = 4
const UNREAD_CONNECTIONS = 2

// The CPU that a flooding website takes from its host's others is not the daemon's matter.
setPriority(19)

const [socket_path] = process.argv.slice(2) as [string]
const issuer = await startSlowOp()
const oxd_id = await register()
const sockets = new Set<Socket>()
let outcomes: Flooded = {}

process.once('disconnect', () => process.exit())
process.on('message', (message) => {
  if (message === 'start') start()
  else stop()
})
process.send?.('ready')

function start(): void {
  const login = line('get_authorization_url', { oxd_id })
  const unfinished: string[] = []
  for (let index = 0; index < LOGIN_CONNECTIONS; index += 1) {
    const socket = open((reply) => {
      const { authorization_url } = reply.data
      if (authorization_url && unfinished.length < 1000) unfinished.push(authorization_url)
    })
    pump(socket, () => login)
  }
  pump(open(), () => line('register_site', newSite()))
  pump(open(), () => {
    const url = unfinished.pop()
    return url === undefined
      ? login
      : line('get_tokens_by_callback', { oxd_id, callback: callbackOf(url, issuer) })
  })
  for (let index = 0; index < UNREAD_CONNECTIONS; index += 1) {
    const socket = open()
    socket.pause()
    pump(socket, () => login)
  }
}

function stop(): void {
  for (const socket of sockets) socket.destroy()
  sockets.clear()
  process.send?.(outcomes)
  outcomes = {}
}

interface Reply {
  status: string
  data: { authorization_url?: string; error?: string; oxd_id?: string }
}

function open(onReply: (reply: Reply) => void = () => {}): Socket {
  const socket = connect(socket_path)
  sockets.add(socket)
  socket.on('error', () => socket.destroy())
  // A readline interface passes its socket's errors on.
  const lines = createInterface(socket).on('error', () => {})
  lines.on('line', (text) => {
    const reply = JSON.parse(text) as Reply
    const outcome = reply.data.error ?? 'ok'
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
    onReply(reply)
  })
  return socket
}

/** Writes for as long as the daemon takes it. */
function pump(socket: Socket, next: () => string): void {
  const write = () => {
    let room = true
    while (room && !socket.destroyed) room = socket.write(next())
  }
  socket.on('connect', write).on('drain', write)
}

function line(command: string, params: object): string {
  return `${JSON.stringify({ id: 1, command, params })}\n`
}

function newSite() {
  return {
    op_host: issuer,
    authorization_redirect_uri: 'https://flood.example/callback',
    client_id: website.client_id,
    client_secret: website.client_secret,
    login_binding: 'none',
    idempotency_key: randomUUID(),
  }
}

async function register(): Promise<string> {
  const socket = connect(socket_path)
  socket.write(line('register_site', newSite()))
  const [text] = await once(createInterface(socket), 'line')
  socket.destroy()
  const { data } = JSON.parse(text) as Reply
  if (data.oxd_id === undefined) throw new Error(`the flooder is not registered: ${text}`)
  return data.oxd_id
}

/** Answers its metadata, and nothing else ever. */
async function startSlowOp(): Promise<string> {
  const server = createServer((request, response) => {
    if (!request.url?.startsWith('/.well-known/')) return
    const { port } = server.address() as AddressInfo
    const origin = `http://127.0.0.1:${port}`
    response.setHeader('content-type', 'application/json')
    response.end(
      JSON.stringify({
        issuer: origin,
        authorization_endpoint: `${origin}/authorize`,
        token_endpoint: `${origin}/token`,
        jwks_uri: `${origin}/jwks`,
        response_types_supported: ['code'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: ['RS256'],
      }),
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
