/** A website with Express whose people log in at one of several OPs, found by their e-mail address. */
import { Client, CommandError } from '@relyd/sdk'
import { expressWebsite } from '@relyd/sdk/express'
import express, { type Request } from 'express'

// A cfg for each OP that the site trusts, with a callback of its own: /acme/callback, /umbrella/callback.
const ops = ['acme', 'umbrella'].map((name) => {
  const client = new Client(`${name}.cfg`)
  const secure = client.authorization_redirect_uri.startsWith('https:')
  const site = expressWebsite(client, { cookie_name: `${secure ? '__Host-' : ''}session-${name}` })
  return { name, client, site }
})
const app = express()

// Each answers /login, /callback and /logout beside its callback.
for (const { site } of ops) app.use(site.routes)

/** Who is logged in, at whichever OP. */
async function whoIs(request: Request) {
  for (const { name, client, site } of ops) {
    const session = await site.session(request)
    if (session) return { name, client, session }
  }
  return undefined
}

app.get('/find', async (request, response) => {
  try {
    const resource = String(request.query['who'])
    const { issuer } = await (ops[0] as (typeof ops)[0]).client.getIssuer({ resource })
    for (const { name, client } of ops) {
      // Whoever owns a domain can name any OP: only the site's own are trusted.
      if ((await client.getSite()).issuer === issuer) return response.redirect(`/${name}/login`)
    }
  } catch (error) {
    if (!(error instanceof CommandError)) throw error
  }
  return response.redirect('/?unknown')
})

app.get('/', async (request, response) => {
  const who = await whoIs(request)
  response.set('cache-control', 'no-store')
  if (who)
    return response.send(`<a href="/profile">Profile</a> <a href="/${who.name}/logout">Log out</a>`)
  const links = ops.map(({ name }) => `<a href="/${name}/login">${name}</a>`)
  return response.send(
    `<form action="/find"><input name="who" type="email"></form>${links.join(' ')}`,
  )
})

app.get('/profile', async (request, response) => {
  const who = await whoIs(request)
  if (!who) return response.redirect('/')
  const { claims } = await who.client.getUserInfo({ session_id: who.session.session_id })
  return response.set('cache-control', 'no-store').json({ ...claims, at: who.session.issuer })
})

app.listen(Number(process.env['PORT'] ?? 3000), 'localhost')
