/** One small website, three times: on Express, Fastify and node:http, with the SDK's adapters. */
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import express from 'express'
import { fastify } from 'fastify'
import type { Op } from '../../demosite/src/op.js'
import { expressGuard, expressWebsite } from '../../sdk/src/adapters/express.js'
import { fastifyGuard, fastifyWebsite } from '../../sdk/src/adapters/fastify.js'
import { nodeGuard, nodeWebsite } from '../../sdk/src/adapters/node.js'
import { Client } from '../../sdk/src/index.js'
import type { ApiGuardOptions, Session, WebsiteOptions } from '../../sdk/src/web/index.js'
import type { TestDaemon } from './daemon.js'

export interface FrameworkSite extends AsyncDisposable {
  origin: string
  client: Client
  /** Bodies that reached the handler of `/order`. */
  orders: string[]
  /** Keeps the next callback from the website. @returns its URL */
  stealCallback(): Promise<string>
}

export interface SiteOptions {
  op: Pick<Op, 'issuer'>
  daemon: TestDaemon
  website?: WebsiteOptions
  guard?: ApiGuardOptions
}

interface App {
  client: Client
  orders: string[]
  website: WebsiteOptions
  guard: ApiGuardOptions
}

/** What `/stronger` asks the OP for. */
const stronger = { prompt: 'login', max_age: 60 }

const html = { 'content-type': 'text/html; charset=utf-8' }

const homePage = (
  session: Session | undefined,
) => `<!doctype html><html lang="en"><title>Home</title>
<h1>Home</h1><p id="who">${session?.sub ?? 'nobody'}</p><a href="/profile">Profile</a>`

const profilePage = (
  { sub }: Session,
  address: string,
) => `<!doctype html><html lang="en"><title>Profile</title>
<h1>Profile of ${sub}</h1><p id="address">${encodeURI(address)}</p>
<form method="post" action="/app/logout"><button>Log out</button></form>
<form method="post" action="/order"><input name="what" value="everything"><button>Order</button></form>
<button id="ask">Ask</button><output id="answer"></output>
<script>ask.onclick = async () => {
  const response = await fetch('/data')
  answer.textContent = response.status + ' ' + (await response.text())
}</script>`

const makers: Record<Framework, (app: App) => Promise<RequestListener>> = {
  async Express({ client, orders, website, guard }) {
    const site = expressWebsite(client, website)
    const api = expressGuard(client, guard)
    const app = express()
    app.use('/app', site.routes)
    app.get('/', async (request, response) => {
      response.set(html).send(homePage(await site.session(request)))
    })
    // In a router of its own, which shortens `request.url`.
    const inner = express.Router()
    inner.use(site.requireLogin)
    inner.get('/', (request, response) => {
      response.set(html).send(profilePage(site.requiredSession(request), request.originalUrl))
    })
    app.use('/profile', inner)
    app.get('/data', site.requireLogin, (request, response) => {
      response.json({ sub: site.requiredSession(request).sub })
    })
    app.post('/order', site.requireLogin, async (request, response) => {
      orders.push(await text(request))
      response.send('ordered')
    })
    app.get('/forgotten', (request, response) => {
      response.send(site.requiredSession(request).sub)
    })
    app.get('/stronger', (request, response) => site.startLogin(request, response, stronger))
    app.get('/api/time', api.require('openid'), (request, response) => {
      response.json(api.grant(request))
    })
    app.get('/api/admin', api.require('openid', 'admin'), (_request, response) => {
      response.send('never')
    })
    app.use((_request: express.Request, response: express.Response) => {
      response.status(404).send('no such page')
    })
    app.use(
      (error: Error, _request: express.Request, response: express.Response, _next: () => void) => {
        response.status(500).send(`framework: ${error.message}`)
      },
    )
    return app
  },

  async Fastify({ client, orders, website, guard }) {
    const site = fastifyWebsite(client, website)
    const api = fastifyGuard(client, guard)
    const app = fastify()
    app.setNotFoundHandler((_request, reply) => reply.code(404).send('no such page'))
    app.setErrorHandler((error: Error, _request, reply) =>
      reply.code(500).send(`framework: ${error.message}`),
    )
    await app.register(site.routes, { prefix: '/app' })
    app.addContentTypeParser(
      'application/x-www-form-urlencoded',
      async (_request: unknown, body: Readable) => text(body),
    )
    app.get('/', async (request, reply) => {
      return reply.headers(html).send(homePage(await site.session(request)))
    })
    app.get('/profile', { preHandler: site.requireLogin }, async (request, reply) => {
      return reply
        .headers(html)
        .send(profilePage(site.requiredSession(request), request.originalUrl))
    })
    app.get('/data', { onRequest: site.requireLogin }, async (request) => {
      return { sub: site.requiredSession(request).sub }
    })
    app.post('/order', { onRequest: site.requireLogin }, async (request) => {
      orders.push(String(request.body))
      return 'ordered'
    })
    app.get('/forgotten', async (request) => site.requiredSession(request).sub)
    app.get('/stronger', (request, reply) => site.startLogin(request, reply, stronger))
    app.get('/api/time', { onRequest: api.require('openid') }, async (request) =>
      api.grant(request),
    )
    app.get('/api/admin', { preHandler: api.require('openid', 'admin') }, async () => 'never')
    await app.ready()
    return (request, response) => app.routing(request, response)
  },

  async 'node:http'({ client, orders, website, guard }) {
    const site = nodeWebsite(client, website)
    const api = nodeGuard(client, guard)
    const time = api.require('openid')
    const admin = api.require('openid', 'admin')
    const answer: RequestListener<typeof IncomingMessage> = async (request, response) => {
      if (await site.handle(request, response)) return
      const [path] = (request.url ?? '/').split('?')
      if (path === '/') {
        response.writeHead(200, html).end(homePage(await site.session(request)))
      } else if (path === '/api/time') {
        const grant = await time(request, response)
        if (grant) response.setHeader('content-type', 'application/json').end(JSON.stringify(grant))
      } else if (path === '/api/admin') {
        if (await admin(request, response)) response.end('never')
      } else if (path === '/stronger') {
        await site.startLogin(request, response, stronger)
      } else if (path === '/profile' || path === '/data' || path === '/order') {
        const session = await site.requireLogin(request, response)
        if (!session) return
        if (path === '/profile') {
          response.writeHead(200, html).end(profilePage(session, request.url ?? ''))
        } else if (path === '/data') {
          response.end(JSON.stringify({ sub: session.sub }))
        } else {
          orders.push(await text(request))
          response.end('ordered')
        }
      } else {
        response.writeHead(404).end('no such page')
      }
    }
    return (request, response) =>
      void Promise.resolve(answer(request, response)).catch((error: Error) => {
        response.writeHead(500).end(`framework: ${error.message}`)
      })
  },
}

export const frameworks = ['Express', 'Fastify', 'node:http'] as const

export type Framework = (typeof frameworks)[number]

/** Starts the website at `http://localhost:PORT`, its login below `/app`. */
export async function startSite(
  framework: Framework,
  options: SiteOptions,
): Promise<FrameworkSite> {
  const server = createServer()
  await once(server.listen(0, 'localhost'), 'listening')
  const { port } = server.address() as AddressInfo
  const origin = `http://localhost:${port}`
  const cfg = join(options.daemon.folder, `site${port}.cfg`)
  writeFileSync(
    cfg,
    `[oxd]\nsocket = ${options.daemon.socket}\n[client]\nop_host = ${options.op.issuer}\nauthorization_redirect_uri = ${origin}/app/callback\npost_logout_redirect_uri = ${origin}/\n`,
  )
  const client = new Client(cfg)
  const orders: string[] = []
  const { website = {}, guard = {} } = options
  const answer = await makers[framework]({ client, orders, website, guard })
  let thief: ((callback: string) => void) | undefined
  server.on('request', (request, response) => {
    if (!thief || !request.url?.startsWith('/app/callback')) return answer(request, response)
    thief(origin + request.url)
    thief = undefined
    response.writeHead(204).end()
  })
  return {
    stealCallback: () =>
      new Promise((resolve) => {
        thief = resolve
      }),
    origin,
    client,
    orders,
    async [Symbol.asyncDispose]() {
      await client.close()
      await stop(server)
    },
  }
}

async function stop(server: Server): Promise<void> {
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
}
