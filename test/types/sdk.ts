/** What the SDK's types allow and refuse; compiled by `npm run check`, never run. */
import { Client, CommandError, type GetUserInfoResult, TransportError } from '@relyd/sdk'

declare const client: Client
declare const headers: { cookie?: string | undefined }

export async function allowed(): Promise<GetUserInfoResult> {
  const { authorization_url, set_cookie }: { authorization_url: string; set_cookie: string } =
    await client.getAuthorizationUrl({ scope: ['openid'], claims: { userinfo: { name: null } } })
  // What node:http gives goes in as it is.
  const login = await client.getTokensByCallback(
    { callback: authorization_url + set_cookie, cookie: headers.cookie },
    { timeout_ms: 1000, signal: AbortSignal.timeout(1) },
  )
  const optional: string | undefined = login.access_token
  const always: string = login.session_id
  await client.call('ping', { any: optional })
  const listener = ({ sub, sid }: { sub: string; sid?: string }) => `${sub}${sid}`
  client.on('logout', listener).off('logout', listener)
  return client.getUserInfo({ session_id: always })
}

export function refused(): void {
  // @ts-expect-error the callback is required
  void client.getTokensByCallback({})
  // @ts-expect-error the site is the client's own
  void client.getUserInfo({ oxd_id: 'x', session_id: 'y' })
  // @ts-expect-error scopes are a list
  void client.getAuthorizationUrl({ scope: 'openid' })
  // @ts-expect-error tokens may be kept in the daemon
  void client.getTokensByCallback({ callback: '' }).then((login): string => login.access_token)
  // @ts-expect-error there is no such event
  client.on('login', () => {})
  // @ts-expect-error an event has no session_id
  client.on('logout', ({ session_id }) => session_id)
  // @ts-expect-error a client needs a cfg
  void new Client()
}

export function narrowed(error: unknown): string {
  if (error instanceof CommandError) return error.retryable ? error.code : error.message
  if (error instanceof TransportError) {
    const code: 'ERR_UNREACHABLE' | 'ERR_CLOSED' | 'ERR_TIMEOUT' | 'ERR_ABORTED' | 'ERR_BUSY' =
      error.code
    return code
  }
  return ''
}
