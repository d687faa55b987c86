/** The demo's command line. */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'

export const help = `Starts an OpenID Provider, relyd and a website to log in at.

  node demosite/dist/main.js [options]

  --port PORT                 the website's port (8400); 0: any free one
  --scope SCOPES              what to ask the OP for ("openid profile email")
  --op URL                    a real OP instead of the embedded one
  --client-id ID              this website's client at that OP; without it, relyd registers one
  --client-secret-file FILE   a file that holds the client's secret
  --help                      this text
`

export interface DemoOptions {
  help: boolean
  /** Undefined: 8400, or another one if that is taken. */
  port: number | undefined
  op: URL | undefined
  client_id: string | undefined
  client_secret: string | undefined
  scope: string[]
}

/** A command line, or a place to run in, that will not do; the message names it and the cure. */
export class OptionError extends Error {
  override readonly name = 'OptionError'
}

/** @throws OptionError */
export function readOptions(argv: readonly string[]): DemoOptions {
  const values = parse(argv)
  const { op, 'client-id': client_id, 'client-secret-file': secret_file } = values
  if (client_id !== undefined && op === undefined) {
    throw new OptionError('--client-id is for a real OP: add --op URL')
  }
  if (secret_file !== undefined && client_id === undefined) {
    throw new OptionError('--client-secret-file needs --client-id ID, the client it belongs to')
  }
  return {
    help: values.help ?? false,
    port: values.port === undefined ? undefined : readPort(values.port),
    op: op === undefined ? undefined : readOp(op),
    client_id: client_id === undefined ? undefined : oneLine('--client-id', client_id),
    client_secret: secret_file === undefined ? undefined : readSecret(secret_file),
    scope: readScope(values.scope ?? 'openid profile email'),
  }
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        help: { type: 'boolean', short: 'h' },
        port: { type: 'string' },
        op: { type: 'string' },
        'client-id': { type: 'string' },
        'client-secret-file': { type: 'string' },
        scope: { type: 'string' },
      },
    }).values
  } catch (error) {
    // parseArgs names the option in its first sentence; what follows is about its own rules.
    const [what] = (error as Error).message.split('. ')
    throw new OptionError(`${what}; --help shows all options`)
  }
}

function readPort(text: string): number {
  const port = Number(text)
  if (/^\d+$/.test(text) && port <= 65_535) return port
  throw new OptionError(`--port must be a number from 0 to 65535, not ${JSON.stringify(text)}`)
}

function readOp(text: string): URL {
  if (!URL.canParse(text)) {
    throw new OptionError(
      `--op must be a URL such as https://op.example.com, not ${JSON.stringify(text)}`,
    )
  }
  const url = new URL(text)
  const is_loopback = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && is_loopback)) {
    throw new OptionError('--op must begin with https://; http:// is for OPs on this host only')
  }
  if (url.username || url.password || url.search || url.hash) {
    throw new OptionError('--op must be the bare issuer: no user, no query, no #fragment')
  }
  return url
}

function readSecret(path: string): string {
  let text: string
  try {
    text = readFileSync(path, 'utf8').trim()
  } catch (error) {
    throw new OptionError(`--client-secret-file: ${(error as Error).message}`)
  }
  if (text === '') throw new OptionError(`--client-secret-file: ${path} is empty`)
  return oneLine('--client-secret-file', text)
}

function readScope(text: string): string[] {
  const scope = text.split(/[\s,]+/).filter(Boolean)
  if (scope.includes('openid')) return scope
  throw new OptionError('--scope must contain openid: without it there is no login')
}

function oneLine(option: string, text: string): string {
  if (!/\p{Cc}/u.test(text)) return text
  throw new OptionError(`${option} must be a single line without control characters`)
}
