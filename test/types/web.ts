/** The adapters fit the frameworks' own types; compiled by `npm run check`, never run. */
import { createServer } from 'node:http'
import { Client } from '@relyd/sdk'
import { expressGuard, expressWebsite } from '@relyd/sdk/express'
import { fastifyGuard, fastifyWebsite } from '@relyd/sdk/fastify'
import { nodeGuard, nodeWebsite } from '@relyd/sdk/node'
import { ApiGuard, type Grant, private_headers, type Session, Website } from '@relyd/sdk/web'
import express from 'express'
import { fastify } from 'fastify'

const client = new Client('site.cfg')

export function inExpress(): void {
  const site = expressWebsite(client, { on_login: ({ sub }) => sub !== 'mallory' })
  const guard = expressGuard(client)
  const app = express()
  app.use(site.routes)
  app.get('/', async (request, response) => {
    const session: Session | undefined = await site.session(request)
    response.send(session?.sub)
  })
  app.get('/profile', site.requireLogin, (request, response) => {
    response.send(site.requiredSession(request).sub)
  })
  app.get('/strong', (request, response) =>
    site.startLogin(request, response, { acr_values: ['strong'] }),
  )
  app.get('/api', guard.require('time', 'place'), (request, response) => {
    response.json(guard.grant(request).scope.length)
  })
}

export function inFastify(): void {
  const site = fastifyWebsite(client, {
    on_trouble: (trouble) => {
      console.error(trouble.error)
    },
  })
  const guard = fastifyGuard(client, { audience: ['https://api.example'], cache_seconds: 0 })
  const app = fastify()
  void app.register(site.routes)
  void app.register(site.routes, { prefix: '/app' })
  app.get('/', async (request) => (await site.session(request))?.sub)
  app.get('/profile', { onRequest: site.requireLogin }, async (request) => {
    return site.requiredSession(request).sub
  })
  app.get('/other', { preHandler: [site.requireLogin] }, (request, reply) =>
    site.startLogin(request, reply, { prompt: 'login' }),
  )
  app.addHook('onRequest', site.requireLogin)
  app.get('/api', { preHandler: guard.require('time') }, async (request) => {
    return guard.grant(request).sub
  })
}

export function inNode(): void {
  const site = nodeWebsite(client, {
    login: { scope: ['openid'] },
    on_trouble(trouble) {
      if (trouble.error) console.error(trouble.error)
      return undefined
    },
    async on_login({ issuer, sub }) {
      await Promise.resolve(issuer + sub)
    },
  })
  const needTime = nodeGuard(client).require('time')
  createServer(async (request, response) => {
    if (await site.handle(request, response)) return
    const session: Session | undefined = await site.requireLogin(request, response)
    const grant: Grant | undefined = await needTime(request, response)
    response.end(session?.sub ?? grant?.sub)
  })
}

export async function onTheWeb(request: Request): Promise<Response> {
  const site = new Website(client, {
    // @ts-expect-error the helper says where a login returns to
    login: { return_to: '/' },
    on_trouble: async () => new Response('own page'),
  })
  const own = await site.handle(request)
  if (own) return own
  const session = await site.requireLogin(request)
  if (session instanceof Response) return session
  const grant = await new ApiGuard(client).check(request, { scope: ['time'] })
  if (grant instanceof Response) return grant
  return new Response(session.sub, { headers: private_headers })
}
