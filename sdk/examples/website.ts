import { createServer } from 'node:http'
import { Client } from '@relyd/sdk'

const client = new Client('site.cfg')

async function answer(path: string, cookie: string) {
  const { pathname } = new URL(path, 'http://localhost')
  const session_id = /(?:^|; )session=([\w-]+)/.exec(cookie)?.[1]
  switch (pathname) {
    case '/login': {
      const { authorization_url, set_cookie } = await client.getAuthorizationUrl()
      return { location: authorization_url, cookies: [set_cookie] }
    }
    case '/callback': {
      const login = await client.getTokensByCallback({ callback: path, cookie })
      const session = `session=${login.session_id}; Path=/; HttpOnly; SameSite=Lax`
      return { location: '/', cookies: [login.set_cookie, session] }
    }
    case '/logout': {
      if (!session_id) return { location: '/' }
      const { uri } = await client.getLogoutUri({ session_id })
      return { location: uri, cookies: ['session=; Path=/; Max-Age=0'] }
    }
    default: {
      if (!session_id) return { text: 'Hello, stranger. Log in at /login' }
      const { claims } = await client.getUserInfo({ session_id })
      return { text: `Hello, ${claims['name']}. Log out at /logout` }
    }
  }
}

createServer(async (request, response) => {
  response.setHeader('cache-control', 'no-store')
  try {
    const {
      location,
      text,
      cookies = [],
    } = await answer(request.url ?? '/', request.headers.cookie ?? '')
    response.setHeader('set-cookie', cookies)
    if (location) response.writeHead(303, { location }).end()
    else response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' }).end(text)
  } catch (error) {
    console.error(error)
    response.writeHead(500).end('That did not work. Start again at /login')
  }
}).listen(Number(process.env['PORT'] ?? 3000), 'localhost')
