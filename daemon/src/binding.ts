/**
 * Ties a login to the browser that started it, so that nobody can be logged in by following
 * another's callback (login CSRF, RFC 6749 10.12).
 */
import type { Seconds } from './clock.js'
import { sha256 } from './digest.js'
import { randomToken } from './random.js'

const BINDING_BYTES = 16

export interface Binding {
  binding: string
  /** The value of a Set-Cookie header that leaves the binding with the browser. */
  set_cookie: string
}

/**
 * @param redirect_uri where the browser will bring the cookie back to
 * @param is_posted whether that will be a POST from the OP's site: then it must be https
 */
export function makeBinding(
  redirect_uri: string,
  state: string,
  lifetime: Seconds,
  is_posted = false,
): Binding {
  const binding = randomToken(BINDING_BYTES)
  const line = cookieLine(redirect_uri, state, binding, lifetime)
  // Browsers send a Lax cookie with no POST of another site. It is httpOnly, for one login, and of
  // use with its state alone.
  const set_cookie = is_posted ? line.replace(/SameSite=Lax$/, 'SameSite=None') : line
  return { binding, set_cookie }
}

/** The value of a Set-Cookie header that takes the binding from the browser again. */
export function forgetBinding(redirect_uri: string, state: string): string {
  return cookieLine(redirect_uri, state, '', 0)
}

/** What the store keeps of a binding. */
export function hashBinding(binding: string): Buffer {
  return sha256(binding)
}

/**
 * The binding that a callback brought back.
 *
 * @param brought the value itself, or the request's Cookie header (RFC 6265 4.2.1)
 */
export function readBinding(
  brought: { binding?: string; cookie?: string },
  redirect_uri: string,
  state: string,
): string | undefined {
  if (brought.binding !== undefined) return brought.binding
  const wanted = `${cookieName(redirect_uri, state)}=`
  const pairs = brought.cookie?.split(';').map(trim)
  return pairs?.find((pair) => pair.startsWith(wanted))?.slice(wanted.length)
}

/**
 * RFC 6265 5.2: spaces and tabs alone. String.trim() takes more away, and would make of a name that
 * any host may set (a no-break space before it) one that begins with `__Host-`.
 */
function trim(text: string): string {
  return text.replace(/^[ \t]+|[ \t]+$/g, '')
}

// One cookie for each login, so that logins in several tabs do not undo each other. Lax: the
// callback is a navigation from the OP's site. __Host- keeps other hosts from setting it.
function cookieLine(redirect_uri: string, state: string, value: string, max_age: Seconds): string {
  const secure = isHttps(redirect_uri) ? ' Secure;' : ''
  return `${cookieName(redirect_uri, state)}=${value}; Path=/; Max-Age=${max_age}; HttpOnly;${secure} SameSite=Lax`
}

function cookieName(redirect_uri: string, state: string): string {
  return `${isHttps(redirect_uri) ? '__Host-' : ''}relyd-login-${state.slice(-8)}`
}

/** Browsers keep a cookie with SameSite=None, or a name that begins with __Host-, over https only. */
export function isHttps(redirect_uri: string): boolean {
  return /^https:/i.test(redirect_uri)
}
