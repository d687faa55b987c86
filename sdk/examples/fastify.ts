/** A website with Fastify. */
import { Client } from '@relyd/sdk'
import { fastifyWebsite } from '@relyd/sdk/fastify'
import Fastify from 'fastify'

const client = new Client('site.cfg')
const site = fastifyWebsite(client)
const app = Fastify()

// Answers /login, /callback and /logout.
await app.register(site.routes)

app.get('/', async (request, reply) => {
  const session = await site.session(request)
  const links = session ? '<a href="/profile">Profile</a> <a href="/logout">Log out</a>' : ''
  reply.type('text/html').header('cache-control', 'no-store')
  return links || '<a href="/login">Log in</a>'
})

app.get('/profile', { onRequest: site.requireLogin }, async (request) => {
  const { session_id } = site.requiredSession(request)
  const { claims } = await client.getUserInfo({ session_id })
  return claims
})

await app.listen({ port: Number(process.env['PORT'] ?? 3000), host: 'localhost' })
