/** The website's own sessions: an unguessable cookie in the browser, and what it stands for here. */
import { randomBytes } from 'node:crypto'

/** What the website remembers of a login. The tokens that matter stay in relyd, behind `session_id`. */
export interface Session {
  session_id: string
  id_token: string | undefined
  id_token_claims: Record<string, unknown>
}

/** Served by https, this should be `__Host-session`, and `Secure` be among its attributes. */
const cookie_name = 'demosite_session'

/** Above this many sessions, the oldest is forgotten: nobody fills the memory. */
const most_sessions = 10_000

export class Sessions {
  readonly #sessions = new Map<string, Session>()

  /** @returns a Set-Cookie header that makes the browser remember */
  start(session: Session): string {
    const id = randomBytes(32).toString('base64url')
    this.#sessions.set(id, session)
    const [oldest] = this.#sessions.keys()
    if (oldest && this.#sessions.size > most_sessions) this.#sessions.delete(oldest)
    // Lax, not Strict: the browser must send it when it comes back from the OP.
    return `${cookie_name}=${id}; Path=/; HttpOnly; SameSite=Lax`
  }

  /** @param cookie the request's Cookie header */
  find(cookie: string): Session | undefined {
    return this.#sessions.get(idOf(cookie))
  }

  /** @returns the session that was ended, if there was one; its cookie opens nothing any more */
  end(cookie: string): Session | undefined {
    const session = this.find(cookie)
    this.#sessions.delete(idOf(cookie))
    return session
  }
}

function idOf(cookie: string): string {
  const pairs = cookie.split('; ').map((pair) => pair.split('=') as [string, string?])
  return pairs.find(([name]) => name === cookie_name)?.[1] ?? ''
}
