/** The two cookies of a website: the session's, and one for each login that is under way. */

/** Logins that one browser may have under way; beyond it, a cookie header grows until servers refuse it (431). */
const LOGINS_AT_ONCE = 10

/** Most cookies that one response takes away: a header too long for a proxy would help nobody. */
const TAKEN_AT_ONCE = 10

/** What a session_id can look like. Anything else is not worth a question to relyd. */
const SESSION_ID = /^[\w-]{16,256}$/

/** A cookie's name as RFC 6265 4.1.1 has it, without what needs care elsewhere. */
const NAME = /^[\w-]{1,100}$/

/** The cookie that holds a session's id, and nothing else. */
export class SessionCookie {
  readonly name: string
  readonly #attributes: string

  /**
   * @param origin the site's. Over https the name begins with `__Host-`, so that no other host can
   *   set it; over http, on a developer's machine, it ends with the port, as cookies of all ports
   *   are kept together.
   * @throws TypeError if the name will not do
   */
  constructor(origin: string, name?: string) {
    const { protocol, port } = new URL(origin)
    const secure = protocol === 'https:'
    this.name = name ?? (secure ? '__Host-relyd-session' : `relyd-session-${port || 80}`)
    if (!NAME.test(this.name) || /^(?:__Host-)?relyd-login-/.test(this.name)) {
      throw new TypeError(
        'cookie_name must be of letters, digits, "_" and "-", and not begin with "relyd-login-"',
      )
    }
    if (this.name.startsWith('__Host-') !== secure) {
      throw new TypeError(
        secure
          ? `cookie_name must begin with "__Host-": without it, other hosts could set "${this.name}"`
          : 'cookie_name must not begin with "__Host-" over http: browsers would not keep it',
      )
    }
    this.#attributes = `Path=/; HttpOnly;${secure ? ' Secure;' : ''} SameSite=Lax`
  }

  /** @returns the id in a Cookie header; undefined if there is none, or more than one to choose from */
  read(header: string | null): string | undefined {
    const [value, ...others] = this.#values(header)
    return value !== undefined && others.length === 0 && SESSION_ID.test(value) ? value : undefined
  }

  /** Whether a Cookie header brings one at all, good or not. */
  in(header: string | null): boolean {
    return this.#values(header).length > 0
  }

  /** The Set-Cookie line that begins a session. It ends with the browser's at the latest. */
  set(session_id: string): string {
    return `${this.name}=${session_id}; ${this.#attributes}`
  }

  /** The Set-Cookie line that takes it away. */
  clear(): string {
    return `${this.name}=; Max-Age=0; ${this.#attributes}`
  }

  #values(header: string | null): string[] {
    return pairs(header)
      .filter(([name]) => name === this.name)
      .map(([, value]) => value)
  }
}

/** A Cookie header with the logins' cookies alone: relyd needs no others. */
export function loginCookies(header: string | null, origin: string): string {
  return pairs(header)
    .filter(([name]) => isLoginCookie(name, origin))
    .map(([name, value]) => `${name}=${value}`)
    .join('; ')
}

/**
 * Makes room for one more login.
 *
 * @returns Set-Cookie lines that take the oldest logins' cookies away
 */
export function clearOldLogins(header: string | null, origin: string): string[] {
  const all = new Set(pairs(header).map(([name]) => name))
  const names = [...all].filter((name) => isLoginCookie(name, origin))
  // RFC 6265 5.4: of the same path, cookies made earlier come first.
  return names
    .slice(0, Math.max(0, names.length - LOGINS_AT_ONCE + 1))
    .slice(0, TAKEN_AT_ONCE)
    .map((name) => {
      const secure = name.startsWith('__Host-') ? ' Secure;' : ''
      return `${name}=; Max-Age=0; Path=/; HttpOnly;${secure} SameSite=Lax`
    })
}

function isLoginCookie(name: string, origin: string): boolean {
  const prefix = origin.startsWith('https:') ? '__Host-relyd-login-' : 'relyd-login-'
  return NAME.test(name) && name.startsWith(prefix)
}

function pairs(header: string | null): [name: string, value: string][] {
  if (header === null) return []
  return header.split(';').map((pair) => {
    const at = pair.indexOf('=')
    return at === -1 ? ['', trim(pair)] : [trim(pair.slice(0, at)), trim(pair.slice(at + 1))]
  })
}

/**
 * RFC 6265 5.2: spaces and tabs alone. String.trim() takes more away, and would make of a name that
 * any host may set (a no-break space before it) one that begins with `__Host-`.
 */
function trim(text: string): string {
  return text.replace(/^[ \t]+|[ \t]+$/g, '')
}
