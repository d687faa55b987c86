/** Turns the SDK's errors into words for the person at the browser, and a way on. */
import { CommandError, ConfigError, TransportError } from '@relyd/sdk'
import { printableError } from './printable.js'

/** Something that went wrong, as it is told to people. */
export interface Trouble {
  status: number
  title: string
  text: string
  /** What to do about it, for who runs the demo. */
  cure?: string
  /** Said by others, word for word. */
  quote?: string
  /** What can be done next, best first. */
  ways: readonly ('login' | 'home' | 'profile')[]
}

export function explain(error: unknown): Trouble {
  if (error instanceof CommandError) return refused(error)
  if (error instanceof TransportError) {
    return {
      status: 503,
      title: 'relyd does not answer',
      text: 'The website could not reach the daemon that does its logins. Nothing is lost: try again when it runs.',
      quote: error.message,
      ways: ['home'],
    }
  }
  if (error instanceof ConfigError) {
    return {
      status: 500,
      title: 'The website is not set up',
      text: 'Its cfg file needs a correction.',
      quote: error.message,
      ways: ['home'],
    }
  }
  console.error('The website failed:', printableError(error))
  return {
    status: 500,
    title: 'Something went wrong here',
    text: 'The website made a mistake. The terminal it runs in shows more.',
    ways: ['home'],
  }
}

function refused(error: CommandError): Trouble {
  const quote = `${error.code}: ${error.message}`
  switch (error.code) {
    case 'op_error':
      return opError(error)
    case 'invalid_state':
      return {
        status: 400,
        title: 'This login is over',
        text: 'It took too long, or it was finished before: going back or reloading brings you here. A new login takes a moment.',
        ways: ['login', 'profile', 'home'],
      }
    case 'invalid_binding':
      return {
        status: 400,
        title: 'This login began in another browser',
        text: 'The cookie that was set when it began is missing. Somebody else’s link may have led you here, or your browser drops cookies. Begin a login of your own.',
        ways: ['login', 'home'],
      }
    case 'invalid_session_id':
      return {
        status: 401,
        title: 'Your session is over',
        text: 'It was ended, or it is too old.',
        ways: ['login', 'home'],
      }
    case 'no_end_session_endpoint_at_op':
      return {
        status: 200,
        title: 'You are logged out of this website',
        text: 'The OpenID Provider offers no logout, so your session there goes on.',
        ways: ['home'],
      }
    case 'op_unreachable':
    case 'no_connect_discovery_response':
      return {
        status: 502,
        title: 'The OpenID Provider does not answer',
        text: 'relyd could not reach it. Try again in a moment.',
        quote,
        ways: ['login', 'home'],
      }
    default:
      return {
        status: 502,
        title: 'That did not work',
        text: 'relyd refused to go on, and says why:',
        quote,
        ...cureOf(error.command),
        ways: ['login', 'home'],
      }
  }
}

/** Not every OP registers websites by itself, as the embedded one does. */
function cureOf(command: string): { cure?: string } {
  if (command !== 'register_site') return {}
  return {
    cure: 'If this provider does not register websites by itself, enter this one there, and start the demo with --client-id and --client-secret-file.',
  }
}

/** RFC 6749 4.1.2.1: the OP's own errors, among them that the person said no. */
function opError({ command, details, message }: CommandError): Trouble {
  const { error, error_description } = details ?? {}
  if (error === 'access_denied') {
    return {
      status: 200,
      title: 'You cancelled the login',
      text: 'Nothing happened, and this website has learned nothing about you.',
      ways: ['login', 'home'],
    }
  }
  return {
    status: 502,
    title: 'The OpenID Provider said no',
    text: 'It answered with an error:',
    quote: error ? [error, error_description].filter(Boolean).join(': ') : message,
    ...cureOf(command),
    ways: ['login', 'home'],
  }
}
