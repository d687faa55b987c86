/** What the parts of the login helper share, and how they answer. */
import type { Client } from '../client.js'
import type { GetAuthorizationUrlParams, GetSessionResult } from '../methods.js'
import type { SessionCookie } from './cookies.js'
import { html, json, NOT_KEPT, page } from './page.js'
import type { Places } from './places.js'
import { kindOf } from './request_kind.js'
import type { Trouble } from './trouble.js'

/** Who is logged in, as relyd keeps it (its command `get_session`), and the session's id. */
export interface Session extends GetSessionResult {
  /** Stands for the session in relyd's other commands. Keep it as a password: it is what the cookie holds. */
  session_id: string
}

/** Parameters of a login: those of `get_authorization_url`. */
export type LoginParams = GetAuthorizationUrlParams

/** Options of a {@link Website}; all have defaults. */
export interface WebsiteOptions {
  /** Path that starts a login. Default: `login` beside the callback, so `/app/login` for `https://x/app/callback`. */
  login_path?: string | undefined
  /** Path that ends the session: by POST; GET shows a page with a button. Default: `logout` beside the callback. */
  logout_path?: string | undefined
  /** Where a login leads that began at no page of its own. Default: `/`. */
  after_login?: string | undefined
  /** Where a logout leads unless the OP sends the browser to the cfg's `post_logout_redirect_uri`. Default: `/`. */
  after_logout?: string | undefined
  /**
   * The session cookie's name. Default: `__Host-relyd-session`, over http `relyd-session-<port>`.
   * Websites that share an origin need one each.
   */
  cookie_name?: string | undefined
  /** Parameters of every login, such as `scope`, `acr_values` or `prompt`. */
  login?: Omit<LoginParams, 'return_to'> | undefined
  /**
   * Called when someone has logged in, before the browser gets its session: the place to make an
   * account, keyed by `issuer` and `sub`. Answering `false` refuses the login; throwing refuses it
   * as well, and the error reaches the framework. Either way the session is ended.
   */
  on_login?: ((session: Session, request: Request) => unknown) | undefined
  /**
   * Called with what went wrong: for the log, and for a page of the site's own. Where it answers
   * nothing, people get the plain page and scripts JSON; `told` says who waits.
   */
  on_trouble?:
    | ((
        trouble: Trouble,
        request: Request,
        told: Told,
      ) => Response | undefined | Promise<Response | undefined>)
    | undefined
}

/** Who gets an answer: somebody who looks at a page, or a script or program. */
export type Told = 'person' | 'program'

/** What login and logout work with. */
export interface Setting {
  client: Client
  places: Places
  cookie: SessionCookie
  options: WebsiteOptions
}

/** Answers with the site's own page or the plain one; to scripts, with JSON. */
export async function answerTrouble(
  { options, places }: Setting,
  trouble: Trouble,
  request: Request,
  set_cookie: readonly string[] = [],
): Promise<Response> {
  const told: Told = ['page', 'form'].includes(kindOf(request)) ? 'person' : 'program'
  const own = await options.on_trouble?.(trouble, request, told)
  const plain = () => (told === 'person' ? troublePage(trouble, places) : troubleJson(trouble))
  const { body, status, headers } = own ?? plain()
  const response = new Response(body, { status, headers })
  for (const [name, value] of Object.entries({ ...NOT_KEPT, ...trouble.headers })) {
    if (!response.headers.has(name)) response.headers.set(name, value)
  }
  for (const line of set_cookie) response.headers.append('set-cookie', line)
  return response
}

// Nothing that came from outside is shown, an OP's words neither.
function troublePage(
  { status, title, text, login_path, request_id }: Trouble,
  { after_logout }: Places,
) {
  const isTheirs = status >= 500 && request_id !== undefined
  return page({
    status,
    title,
    // Out of a frame, where an OP would not show its pages.
    main: html`<p>${text}</p>
${isTheirs ? html`<p>Who runs this website finds the cause with this number: <strong>${request_id}</strong></p>` : ''}
<p>${login_path === undefined ? '' : html`<a target="_top" href="${login_path}">Log in</a>`}<a target="_top" href="${after_logout}">Back to the website</a></p>`,
  })
}

function troubleJson({ code, status, login_path, request_id }: Trouble): Response {
  return json(status, { error: code, login_path, request_id })
}
