/** A website with a login: everything OpenID Connect is left to relyd, through its SDK. */
import type { RequestListener } from 'node:http'
import type { Client } from '@relyd/sdk'
import { nodeGuard, nodeWebsite } from '@relyd/sdk/node'
import { askApi } from './api_client.js'
import { explain } from './explain.js'
import { pageHeaders } from './page.js'
import { homePage, profilePage, timePage, troublePage } from './pages.js'
import { type Route, serve } from './server.js'

/**
 * Makes the website.
 *
 * @param client made by `new Client('/path/to/site.cfg')`. That file says where relyd's socket is,
 *   which OP the website logs in at, and where the OP sends people back to.
 * @param form_action where its forms may lead besides itself: the OP, for login and logout
 */
export function website(client: Client, form_action: readonly string[] = []): RequestListener {
  const { origin } = new URL(client.authorization_redirect_uri)
  const headers = pageHeaders(form_action)

  // Login, callback and logout, whole. The browser gets an opaque cookie, relyd has the session.
  const site = nodeWebsite(client, {
    after_login: '/profile',
    after_logout: '/logged-out',
    // Without this, the helper shows plain pages of its own.
    on_trouble(trouble, _request, told) {
      if (told === 'program') return undefined
      const { status } = trouble
      return new Response(troublePage(explain(trouble)), { status, headers })
    },
  })

  // An API lets requests pass that bring a good access token; relyd asks the OP about it.
  const needToken = nodeGuard(client).require('openid')

  const routes: Record<string, Route> = {
    '/': async (request) => homePage(await site.session(request)),

    // Whoever would rather stay comes here as well.
    async '/logged-out'(request) {
      const session = await site.session(request)
      return homePage(session, session ? undefined : 'You are logged out.')
    },

    // What does the OP know about this person? relyd has the access token, and asks.
    async '/profile'(request, response) {
      const session = await site.requireLogin(request, response)
      if (!session) return undefined
      const { claims } = await client.getUserInfo({ session_id: session.session_id })
      return profilePage(session, claims)
    },

    // The website as an API's client. The access token comes from relyd, fresh, and goes no further.
    async '/time'(request, response) {
      const session = await site.requireLogin(request, response)
      if (!session) return undefined
      const exchange = await askApi(client, session, `${origin}/api/time`)
      if (exchange) return timePage(session, exchange)
      // What the session had has expired: the next login brings new tokens.
      await site.startLogin(request, response)
      return undefined
    },

    async '/api/time'(request, response) {
      const grant = await needToken(request, response)
      if (!grant) return undefined
      response.setHeader('content-type', 'application/json').setHeader('cache-control', 'no-store')
      response.end(JSON.stringify({ time: new Date(), asked_by: grant.sub, scope: grant.scope }))
      return undefined
    },
  }
  return serve(routes, { origin, headers, before: site.handle })
}
