/** A website that makes every call itself: the least that a login takes; the login helper does more. */
import { createServer, type IncomingMessage } from 'node:http'
import { Client, CommandError } from '@relyd/sdk'

const client = new Client('site.cfg')
const { origin } = new URL(client.authorization_redirect_uri)

// On https: "__Host-session" is its name, and "Secure" among the attributes.
const ATTRIBUTES = 'Path=/; HttpOnly; SameSite=Lax'
const FORGET = `session=; ${ATTRIBUTES}; Max-Age=0`

interface Answer {
  status?: number
  /** A redirect, unless there is a body. */
  location?: string
  type?: string
  body?: string
  cookies?: string[]
}

async function answer({ method, url = '/', headers }: IncomingMessage): Promise<Answer> {
  const { cookie = '' } = headers
  const session_id = /(?:^|; )session=([\w-]+)/.exec(cookie)?.[1]
  switch (`${method} ${new URL(url, origin).pathname}`) {
    case 'GET /login': {
      const { authorization_url, set_cookie } = await client.getAuthorizationUrl()
      return { location: authorization_url, cookies: [set_cookie] }
    }
    case 'GET /callback': {
      // The whole address and the whole Cookie header: relyd picks what it has to check.
      const login = await client.getTokensByCallback({ callback: url, cookie })
      const session = `session=${login.session_id}; ${ATTRIBUTES}`
      return { location: '/', cookies: [login.set_cookie, session] }
    }
    case 'GET /profile': {
      if (!session_id) return { location: '/login' }
      const { claims } = await client.getUserInfo({ session_id })
      return { type: 'application/json', body: JSON.stringify(claims) }
    }
    case 'POST /logout': {
      // A form on another page may post here as well; browsers say whose it was.
      if (!session_id || headers.origin !== origin) return { location: '/' }
      try {
        const { uri } = await client.getLogoutUri({ session_id, revoke_tokens: true })
        return { location: uri, cookies: [FORGET] }
      } catch {
        // The OP offers no logout, or is away: this website's session ends all the same.
        await client.endSession({ session_id }).catch(console.error)
        return { location: '/', cookies: [FORGET] }
      }
    }
    default: {
      if (!session_id) return { body: '<a href="/login">Log in</a>' }
      await client.getSession({ session_id })
      return {
        body: '<a href="/profile">Profile</a> <form method="post" action="/logout"><button>Log out</button></form>',
      }
    }
  }
}

function explain(error: unknown): Answer {
  if (error instanceof CommandError && error.code === 'invalid_session_id') {
    return { location: '/', cookies: [FORGET] }
  }
  console.error(error)
  return { status: 500, body: 'That did not work. <a href="/login">Log in again</a>' }
}

createServer(async (request, response) => {
  const answered = await answer(request).catch(explain)
  const { status = 200, location, type = 'text/html', body = '', cookies = [] } = answered
  response.setHeader('cache-control', 'no-store').setHeader('set-cookie', cookies)
  if (location !== undefined) response.writeHead(303, { location }).end()
  else response.writeHead(status, { 'content-type': type }).end(body)
}).listen(Number(process.env['PORT'] ?? 3000), 'localhost')
