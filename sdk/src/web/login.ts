/** A login's two halves at the website: sending the browser to the OP, and its return. */
import { clearOldLogins, loginCookies } from './cookies.js'
import { fragmentPage } from './fragment.js'
import { redirect } from './page.js'
import type { Places } from './places.js'
import { readForm } from './posted.js'
import { kindOf } from './request_kind.js'
import { returnAddress } from './return_address.js'
import { answerTrouble, type LoginParams, type Session, type Setting } from './setting.js'
import { trouble, troubleOf } from './trouble.js'

/**
 * Redirects to the OP. Another site may send a browser here: it can but have the browser's own
 * End-User log in, at the OP that this site uses, and end at an address of this site (as OIDC Core 4
 * even provides for).
 *
 * @param set_cookie further lines
 */
export async function startLogin(
  setting: Setting,
  request: Request,
  { return_to, ...params }: LoginParams,
  set_cookie: readonly string[] = [],
): Promise<Response> {
  const { client, options, places } = setting
  try {
    const login = await client.getAuthorizationUrl({
      ...options.login,
      ...params,
      return_to: returnAddress(return_to, places) ?? places.after_login,
    })
    const room = clearOldLogins(request.headers.get('cookie'), places.origin)
    return redirect(login.authorization_url, [...room, login.set_cookie, ...set_cookie])
  } catch (error) {
    return answerTrouble(setting, troubleOf(error, places.login_path), request)
  }
}

/**
 * OIDC Core 4: a login that the OP, or a portal of its, asked for. It starts one and does nothing
 * else: whoever sends a browser here, its own End-User logs in, at this site's OP.
 *
 * @param asked the request's parameters, with `iss`
 */
export async function startLoginOf(
  setting: Setting,
  request: Request,
  asked: URLSearchParams,
): Promise<Response> {
  const { client, places } = setting
  try {
    const { issuer } = await client.getSite()
    // Compared to the letter: no login starts at another OP because a link says so.
    if (asked.getAll('iss').join(' ') !== issuer) {
      return answerTrouble(setting, trouble('from_elsewhere'), request)
    }
  } catch (error) {
    return answerTrouble(setting, troubleOf(error, places.login_path), request)
  }
  const login_hint = asked.get('login_hint')
  return startLogin(setting, request, {
    // An address of this site, or it is as if there were none (open redirect).
    return_to: asked.get('target_link_uri') ?? undefined,
    ...(login_hint && login_hint.length <= LONGEST_HINT && { login_hint }),
  })
}

/** Longer than an e-mail address can be (RFC 5321 4.5.3.1). */
const LONGEST_HINT = 320

/**
 * Completes the login that the OP sent back, and gives the browser its session.
 *
 * @param live the session that this browser has already, if any
 */
export async function finishLogin(
  setting: Setting,
  request: Request,
  live: () => Promise<Session | undefined>,
): Promise<Response> {
  const { client, cookie, places } = setting
  const header = request.headers.get('cookie')
  try {
    if (mayBeInFragment(request, header, places)) return fragmentPage(request, places)
    const callback = await callbackOf(request, places)
    if (callback === undefined) {
      return answerTrouble(setting, trouble('login_over', places), request)
    }
    const login = await client.getTokensByCallback({
      callback,
      cookie: loginCookies(header, places.origin),
    })
    const { session_id } = login
    if (!(await admit(setting, session_id, request))) {
      return answerTrouble(setting, trouble('login_refused', places), request, [login.set_cookie])
    }
    // The browser gets a new id at each login, and the old one dies: it may be one that somebody
    // else put there (session fixation). Its tokens may be of a grant that the new session shares.
    // A callback that an OP posts comes without it, as the cookie is Lax: then it is replaced in this
    // browser all the same, and lives on in relyd until it expires.
    const old = cookie.read(header)
    if (old !== undefined) {
      await client.endSession({ session_id: old, revoke_tokens: false }).catch(() => {})
    }
    const target = returnAddress(login.return_to, places) ?? places.after_login
    return redirect(target, [login.set_cookie, cookie.set(session_id)])
  } catch (error) {
    const what = troubleOf(error, places.login_path)
    // Back or reload on a callback that did its work: the End-User is where they wanted to be.
    if (what.code === 'login_over' && (await live().catch(() => undefined))) {
      return redirect(places.after_login)
    }
    return answerTrouble(setting, what, request)
  }
}

/**
 * Whether the response may stand behind a `#`, which browsers keep to themselves: it is not in the
 * query, and the browser has begun a login.
 */
function mayBeInFragment(request: Request, cookie: string | null, { origin }: Places): boolean {
  const { searchParams } = new URL(request.url)
  return (
    request.method === 'GET' &&
    !searchParams.has('state') &&
    kindOf(request) !== 'data' &&
    loginCookies(cookie, origin) !== ''
  )
}

/**
 * What the browser brought back: in the address, or as a form, which the OP has it post
 * (`response_mode` of the site or of relyd.cfg), or the page does that read the fragment.
 *
 * @returns undefined for a POST without a form that could be one
 */
async function callbackOf(request: Request, { origin }: Places): Promise<string | undefined> {
  if (request.method === 'POST') return readForm(request)
  const { pathname, search } = new URL(request.url)
  return origin + pathname + search
}

/** Asks the site whether it lets this End-User in; if not, nothing of the session is left. */
async function admit(
  { client, options }: Setting,
  session_id: string,
  request: Request,
): Promise<boolean> {
  if (!options.on_login) return true
  let admitted = false
  try {
    const session = { ...(await client.getSession({ session_id })), session_id }
    admitted = (await options.on_login(session, request)) !== false
    return admitted
  } finally {
    if (!admitted) await client.endSession({ session_id }).catch(() => {})
  }
}
