/** What the website says when something went wrong: the SDK's words, and for who runs the demo some more. */
import { CommandError, ConfigError, TransportError } from '@relyd/sdk'
import type { Trouble } from '@relyd/sdk/web'
import { printableError } from './printable.js'

/** Something that went wrong, as it is told to people. */
export interface Explained {
  title: string
  text: string
  /** What to do about it, for who runs the demo. */
  cure?: string
  /** Said by others, word for word. */
  quote?: string
  /** Where a new login starts, if one would help. */
  login_path?: string
}

/** A login or logout that went wrong: the SDK's words will do, with what relyd or the OP said. */
export function explain({ code, title, text, login_path, error }: Trouble): Explained {
  const way = login_path === undefined ? {} : { login_path }
  // What the person did is no error, and the OP's word for it no news.
  if (!error || ['login_cancelled', 'login_over', 'other_browser'].includes(code)) {
    return { title, text, ...way }
  }
  return { title, text, ...way, quote: quoted(error), ...cureOf(error) }
}

/** Anything else that a page ran into. */
export function explainError(error: unknown): Explained & { status: number } {
  if (error instanceof TransportError) {
    return {
      status: 503,
      title: 'relyd does not answer',
      text: 'The website could not reach the daemon that does its logins. Nothing is lost: try again when it runs.',
      quote: error.message,
    }
  }
  if (error instanceof CommandError) {
    return {
      status: 502,
      title: 'That did not work',
      text: 'relyd refused to go on, and says why:',
      quote: quoted(error),
      login_path: '/login',
    }
  }
  if (error instanceof ConfigError) {
    return {
      status: 500,
      title: 'The website is not set up',
      text: 'Its cfg file needs a correction.',
      quote: error.message,
    }
  }
  console.error('The website failed:', printableError(error))
  return {
    status: 500,
    title: 'Something went wrong here',
    text: 'The website made a mistake. The terminal it runs in shows more.',
  }
}

/** RFC 6749 4.1.2.1: the OP's own words, where it is the OP that said no. */
function quoted(error: Error): string {
  if (!(error instanceof CommandError)) return error.message
  const { error: code, error_description } = error.details ?? {}
  const words =
    error.code === 'op_error' && code
      ? [code, error_description].filter(Boolean).join(': ')
      : `${error.code}: ${error.message}`
  return error.request_id === undefined ? words : `${words}\n(request ${error.request_id})`
}

/** Not every OP registers websites by itself, as the embedded one does. */
function cureOf(error: Error): { cure?: string } {
  if (!(error instanceof CommandError) || error.command !== 'register_site') return {}
  return {
    cure: 'If this provider does not register websites by itself, enter this one there, and start the demo with --client-id and --client-secret-file.',
  }
}
