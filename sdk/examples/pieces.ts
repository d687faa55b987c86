/** Pieces of websites that docs/sdk.md shows; compiled, so that what it shows fits the SDK. */
import { Client, CommandError, ConfigError, TransportError } from '@relyd/sdk'
import { expressGuard, expressWebsite } from '@relyd/sdk/express'
import { ApiGuard, private_headers, Website } from '@relyd/sdk/web'
import express from 'express'

declare const accounts: { isBlocked(issuer: string, sub: string): Promise<boolean> }
declare function ownPage(title: string, text: string, login_path?: string): string
declare const requestEnded: AbortSignal
declare const sockets: { closeOf(session_ref: string): void }

const client = new Client('site.cfg')
const app = express()

const site = expressWebsite(client, {
  after_login: '/profile',
  login: { scope: ['openid', 'profile', 'email'], ui_locales: ['de-CH', 'de'] },
  // Account by issuer and sub: an e-mail address may change hands.
  async on_login({ issuer, sub }) {
    return !(await accounts.isBlocked(issuer, sub))
  },
  on_trouble({ code, title, text, status, login_path, error }, _request, told) {
    console.error(code, error)
    if (told === 'program') return undefined
    const headers = { 'content-type': 'text/html; charset=utf-8' }
    return new Response(ownPage(title, text, login_path), { status, headers })
  },
})

app.get('/transfer', site.requireLogin, async (request, response) => {
  const { session_id, acr, auth_time = 0 } = site.requiredSession(request)
  // Longer than max_age: what has just come back passes, whatever clocks say.
  const is_recent = Date.now() / 1000 - auth_time < 600
  if (acr === 'gold' && is_recent) return response.send('Whom do you want to send money to?')
  return site.startLogin(request, response, {
    session_id,
    acr_values: ['gold'],
    require_acr: true,
    max_age: 300,
    return_to: '/transfer',
  })
})

client.on('logout', ({ session_ref }) => sockets.closeOf(session_ref))

const guard = expressGuard(client)

app.get('/api/time', guard.require('time'), (request, response) => {
  const { sub } = guard.grant(request)
  response.json({ time: new Date(), asked_by: sub })
})

/** Calls an API on behalf of the End-User. */
export async function callApi(url: string, session_id: string): Promise<Response> {
  const ask = (access_token: string) =>
    fetch(url, { headers: { authorization: `Bearer ${access_token}` }, redirect: 'error' })
  const { access_token } = await client.getAccessToken({ session_id })
  const answer = await ask(access_token)
  if (answer.status !== 401) return answer
  // Revoked before its time: another one, once.
  const next = await client.getAccessToken({ session_id, rejected_access_token: access_token })
  return ask(next.access_token)
}

/** Needs a new login to go on. */
export async function needsLogin(work: () => Promise<void>): Promise<boolean> {
  try {
    await work()
    return false
  } catch (error) {
    if (error instanceof CommandError) {
      switch (error.code) {
        case 'invalid_session_id':
        case 'no_refresh_token':
        case 'refresh_token_rejected':
          return true
      }
    }
    throw error
  }
}

/** What to tell an operator. */
export function tellOperator(error: unknown): void {
  if (error instanceof CommandError) {
    console.error(error.command, error.code, error.message, error.spec, error.details)
  } else if (error instanceof TransportError) {
    console.error(error.code, error.message, error.outcome)
  } else if (error instanceof ConfigError) {
    console.error(error.message)
  } else {
    throw error
  }
}

/** A call with limits of its own. */
export async function nameOf(session_id: string): Promise<unknown> {
  const { claims } = await client.getUserInfo(
    { session_id },
    { timeout_ms: 2000, signal: requestEnded },
  )
  return claims['name']
}

const website = new Website(client)
const api = new ApiGuard(client, { audience: 'https://api.example.com' })

/** For frameworks that speak the web's own Request and Response. */
export async function answer(request: Request): Promise<Response> {
  const own = await website.handle(request)
  if (own) return own
  if (new URL(request.url).pathname === '/api/time') {
    const grant = await api.check(request, { scope: ['time'] })
    return grant instanceof Response ? grant : Response.json({ asked_by: grant.sub })
  }
  const session = await website.requireLogin(request)
  if (session instanceof Response) return session
  return new Response(`Hello, ${session.sub}`, { headers: private_headers })
}
