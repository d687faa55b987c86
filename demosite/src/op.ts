/** A real OpenID Provider for the demo and for tests: oidc-provider on loopback, in memory, with two users. */

import { generateKeyPairSync, randomBytes } from 'node:crypto'
import type { Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Configuration, KoaContextWithOIDC, Provider } from 'oidc-provider'
import { interact, interaction_path } from './interactions.js'
import { close, listen } from './localhost.js'
import { memoryAdapter } from './memory_adapter.js'
import { errorPage, loggedOutPage, logoutPage } from './op_pages.js'
import { Html, pageHeaders } from './page.js'
import { printableError } from './printable.js'
import { type User, users } from './users.js'

const hour = 60 * 60
const day = 24 * hour

const oidc = await quietly(() => import('oidc-provider'))

export interface OpOptions {
  /** Chosen by the kernel when left out. */
  port?: number
  /** Whether the login page tells the users' passwords; not unless asked. */
  show_hint?: boolean
  /** Seconds that an access token is good for; an hour when left out. */
  access_token_ttl?: number
  /** Laid over the configuration below, member by member, and feature by feature. */
  configuration?: Configuration
}

export interface Op {
  issuer: string
  users: readonly User[]
  provider: Provider
  close(): Promise<void>
}

/**
 * Starts an OP at `http://127.0.0.1:PORT`.
 *
 * @throws the system's error when the port is taken; oidc-provider's when the configuration will not do
 */
export async function startOp(options: OpOptions = {}): Promise<Op> {
  // The issuer's name holds the port, so that the port must be known before the provider is made.
  const server = await listen(options.port ?? 0, '127.0.0.1')
  try {
    return serve(server, options)
  } catch (error) {
    await close(server)
    throw error
  }
}

function serve(
  server: Server,
  { configuration, show_hint = false, access_token_ttl = hour }: OpOptions,
): Op {
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const provider = new oidc.Provider(issuer, configure(access_token_ttl, configuration))
  provider.on('server_error', (_ctx, error) =>
    console.error('The OP failed:', printableError(error)),
  )
  const answer = provider.callback()

  server.on('request', (request, response) => {
    if (!request.url?.startsWith(interaction_path)) return void answer(request, response)
    interact({ provider, users, show_hint }, request, response).catch((error: unknown) => {
      if (error instanceof oidc.errors.SessionNotFound) return refuse(response)
      console.error('The OP could not show its page:', printableError(error))
      response.destroy()
    })
  })
  return { issuer, users, provider, close: () => close(server) }
}

function configure(access_token_ttl: number, overrides: Configuration = {}): Configuration {
  const defaults: Configuration = {
    adapter: memoryAdapter(),
    cookies: { keys: [randomBytes(32).toString('base64url')] },
    jwks: { keys: [signingKey()] },
    pkce: { required: () => true },
    clientBasedCORS: () => false,
    // OIDC Core 5.4: which scope opens which claims.
    claims: {
      openid: ['sub'],
      profile: [
        ...['name', 'given_name', 'family_name', 'middle_name', 'nickname', 'preferred_username'],
        ...['profile', 'picture', 'website', 'gender', 'birthdate', 'zoneinfo', 'locale'],
        'updated_at',
      ],
      email: ['email', 'email_verified'],
      phone: ['phone_number', 'phone_number_verified'],
      address: ['address'],
    },
    scopes: ['openid', 'profile', 'email', 'phone', 'address', 'offline_access'],
    findAccount(_ctx, sub) {
      const user = users.find((user) => user.name === sub)
      return user && { accountId: sub, claims: () => ({ sub, ...user.claims }) }
    },
    features: {
      devInteractions: { enabled: false },
      registration: { enabled: true },
      registrationManagement: { enabled: true },
      revocation: {
        enabled: true,
        allowedPolicy: (_ctx, client, token) => token.clientId === client.clientId,
      },
      introspection: {
        enabled: true,
        allowedPolicy: (_ctx, client, token) => token.clientId === client.clientId,
      },
      claimsParameter: { enabled: true },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource(ctx, form) {
          const back = ctx.oidc.params?.['post_logout_redirect_uri']
          const page = logoutPage(new Html(form), ctx.oidc.client?.clientName)
          show(ctx, page, back ? [new URL(String(back)).origin] : [])
        },
        postLogoutSuccessSource: (ctx) => show(ctx, loggedOutPage()),
      },
    },
    interactions: { url: (_ctx, { uid }) => interaction_path + uid },
    renderError: (ctx, { error, error_description }) =>
      show(ctx, errorPage(error, error_description)),
    // Whatever this OP calls is on loopback, as it is itself; the dispatcher given would refuse that.
    fetch: (url, { dispatcher: _, ...init } = {}) => fetch(url, init),
    ttl: {
      AccessToken: access_token_ttl,
      AuthorizationCode: 60,
      IdToken: hour,
      RefreshToken: 14 * day,
      Interaction: hour,
      Session: 14 * day,
      Grant: 14 * day,
    },
  }
  const features = { ...defaults.features, ...overrides.features }
  return { ...defaults, ...overrides, features }
}

function signingKey() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const kid = randomBytes(8).toString('hex')
  return { ...privateKey.export({ format: 'jwk' }), kty: 'RSA', kid, use: 'sig', alg: 'RS256' }
}

function show(ctx: KoaContextWithOIDC, page: string, form_action: readonly string[] = []): void {
  ctx.set(pageHeaders(form_action))
  ctx.body = page
}

function refuse(response: ServerResponse): void {
  const page = errorPage(
    'session_not_found',
    'This login has expired or was finished before, or your browser did not send the cookie that belongs to it.',
  )
  response.writeHead(400, pageHeaders([])).end(page)
}

/** Runs `load` without the remark that oidc-provider makes on Node 20, where it works as well. */
async function quietly<T>(load: () => Promise<T>): Promise<T> {
  const { warn } = console
  console.warn = () => {}
  try {
    return await load()
  } finally {
    console.warn = warn
  }
}
