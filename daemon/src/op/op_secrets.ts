/** Tells the last filter of what goes to an OP and comes from it, before anything can be said of either. */
import { live } from '../live_secrets.js'

const NAMES = 'access_token|refresh_token|id_token|client_secret|registration_access_token'

/** Secrets of one answer at most: more would drive out those of others. */
const AN_ANSWER = 16

/** What an OP issues, as a member of JSON (its value whole, or as much as came of it). */
const IN_JSON = new RegExp(`"(?:${NAMES})"\\s*:\\s*"([^"\\\\]*(?:\\\\.[^"\\\\]*)*)`, 'g')

/** The same where the JSON is quoted in a text, and in a form. */
const IN_TEXT = new RegExp(`\\b(?:${NAMES})(?:\\\\+"\\s*:\\s*\\\\+"|=)([^"\\\\&\\s]+)`, 'g')

/** Client authentication, tokens and codes of a request. */
export function noteSent(headers: Record<string, string>, body: unknown): void {
  // RFC 9110 11.6.2: a scheme, then what is secret.
  live.note(headers['authorization']?.replace(/^\S+\s+/, ''))
  if (!(body instanceof URLSearchParams)) return
  for (const [name, value] of body) live.noteNamed(name, value)
}

/**
 * What an OP has issued. Sought in the text rather than in what JSON makes of it: an answer that
 * cannot be read may hold a token too.
 */
export function noteAnswered(body: ArrayBuffer): void {
  const text = Buffer.from(body).toString()
  for (const pattern of [IN_JSON, IN_TEXT]) {
    let left = AN_ANSWER
    for (const [, value = ''] of text.matchAll(pattern)) {
      live.note(unescaped(value))
      left -= 1
      if (left === 0) break
    }
  }
}

/** Access tokens that claims bring for those of others (OIDC Core 5.6.2), which a JWT hides from the text. */
export function noteSources({ _claim_sources: sources }: Record<string, unknown>): void {
  if (typeof sources !== 'object' || sources === null) return
  const all: unknown[] = Object.values(sources).slice(0, AN_ANSWER)
  for (const one of all) if (typeof one === 'object' && one) live.noteMembers(one)
}

function unescaped(value: string): string {
  try {
    return JSON.parse(`"${value}"`)
  } catch {
    return Buffer.from(value).toString()
  }
}
