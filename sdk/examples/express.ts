/** A website with Express. */
import { Client } from '@relyd/sdk'
import { expressWebsite } from '@relyd/sdk/express'
import express from 'express'

const client = new Client('site.cfg')
const site = expressWebsite(client)
const app = express()

// Answers /login, /callback and /logout.
app.use(site.routes)

app.get('/', async (request, response) => {
  const session = await site.session(request)
  const links = session ? '<a href="/profile">Profile</a> <a href="/logout">Log out</a>' : ''
  response.set('cache-control', 'no-store').send(links || '<a href="/login">Log in</a>')
})

app.get('/profile', site.requireLogin, async (request, response) => {
  const { session_id } = site.requiredSession(request)
  const { claims } = await client.getUserInfo({ session_id })
  response.json(claims)
})

app.listen(Number(process.env['PORT'] ?? 3000), 'localhost')
