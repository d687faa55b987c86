/** A website with a login: everything OpenID Connect is left to relyd, through its SDK. */
import type { Client } from '@relyd/sdk'
import { homePage, profilePage } from './pages.js'
import { page, type Reply, type Routes, redirect, type Visit } from './server.js'
import { Sessions } from './sessions.js'

/**
 * Makes the website.
 *
 * @param client made by `new Client('/path/to/site.cfg')`. That file says where relyd's socket is,
 *   which OP the website logs in at, and where the OP sends people back to.
 */
export function website(client: Client): Routes {
  const sessions = new Sessions()

  function home({ cookie, url }: Visit): Reply {
    const note = url.searchParams.get('state') === 'logged_out' && 'You are logged out.'
    return page(homePage(sessions.find(cookie), note))
  }

  // Step 1: "Log in" was pressed. relyd makes the address to send the browser to, and a cookie that
  // ties this login to this browser, so that nobody can be made to finish somebody else's login.
  async function login(): Promise<Reply> {
    const { authorization_url, set_cookie } = await client.getAuthorizationUrl()
    return redirect(authorization_url, set_cookie)
  }

  // Step 2: the browser comes back from the OP. relyd gets the whole address and the cookies, checks
  // all there is to check, fetches the tokens, and answers who this is.
  async function callback({ cookie, url }: Visit): Promise<Reply> {
    const login = await client.getTokensByCallback({ callback: url.href, cookie })
    const { session_id, id_token, id_token_claims } = login
    // A new cookie at every login: one that somebody else planted before opens nothing.
    sessions.end(cookie)
    const set_cookie = sessions.start({ session_id, id_token, id_token_claims })
    return redirect('/profile', login.set_cookie, set_cookie)
  }

  // Step 3: what does the OP know about this person? relyd has the access token, and asks.
  async function profile({ cookie }: Visit): Promise<Reply> {
    const session = sessions.find(cookie)
    if (!session) return redirect('/')
    const { claims } = await client.getUserInfo({ session_id: session.session_id })
    return page(profilePage(session, claims))
  }

  // Step 4: end the session here, in relyd and, by sending the browser there, at the OP. The OP sends
  // it back to the home page, with our `state`.
  async function logout({ cookie }: Visit): Promise<Reply> {
    const session = sessions.end(cookie)
    if (!session) return redirect('/')
    const { session_id } = session
    const { uri } = await client.getLogoutUri({ session_id, state: 'logged_out' })
    return redirect(uri)
  }

  // Login and logout are POST: no link, image or prefetching browser can trigger them.
  return {
    '/': { GET: home },
    '/login': { POST: login },
    '/callback': { GET: callback },
    '/profile': { GET: profile },
    '/logout': { POST: logout },
  }
}
