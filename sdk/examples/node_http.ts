/** A website with nothing but `node:http`. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { Client } from '@relyd/sdk'
import { nodeWebsite } from '@relyd/sdk/node'

const client = new Client('site.cfg')
const site = nodeWebsite(client)

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  // Answers /login, /callback and /logout.
  if (await site.handle(request, response)) return
  if (request.url === '/profile') {
    const session = await site.requireLogin(request, response)
    if (!session) return
    const { claims } = await client.getUserInfo({ session_id: session.session_id })
    response.setHeader('content-type', 'application/json').end(JSON.stringify(claims))
    return
  }
  const session = await site.session(request)
  const links = session ? '<a href="/profile">Profile</a> <a href="/logout">Log out</a>' : ''
  response.setHeader('content-type', 'text/html').setHeader('cache-control', 'no-store')
  response.end(links || '<a href="/login">Log in</a>')
}

createServer((request, response) => {
  answer(request, response).catch((error) => {
    console.error(error)
    response.writeHead(500).end('That did not work.')
  })
}).listen(Number(process.env['PORT'] ?? 3000), 'localhost')
