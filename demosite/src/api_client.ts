/** Calls an API on behalf of the End-User, with an access token that relyd keeps fresh. */
import { createHash } from 'node:crypto'
import { type Client, CommandError } from '@relyd/sdk'
import type { Session } from '@relyd/sdk/web'

/** A request to an API and its answer, as they may be shown: without the token. */
export interface Exchange {
  url: string
  /** Names the token and gives nothing of it away. */
  token_hash: string
  /** Seconds until it expires, if the OP said. */
  expires_in: number | undefined
  scope: string | undefined
  status: number
  body: string
}

/** @returns undefined when only a new login brings a token */
export async function askApi(
  client: Client,
  { session_id }: Session,
  url: string,
): Promise<Exchange | undefined> {
  try {
    const token = await client.getAccessToken({ session_id })
    const exchange = await ask(url, token)
    if (exchange.status !== 401) return exchange
    // Revoked before its time: another one, once.
    const rejected_access_token = token.access_token
    return ask(url, await client.getAccessToken({ session_id, rejected_access_token }))
  } catch (error) {
    if (error instanceof CommandError && login_again.has(error.code)) return undefined
    throw error
  }
}

const login_again = new Set(['no_refresh_token', 'refresh_token_rejected', 'invalid_session_id'])

type Token = Awaited<ReturnType<Client['getAccessToken']>>

async function ask(url: string, { access_token, expires_in, scope }: Token): Promise<Exchange> {
  const answer = await fetch(url, {
    headers: { authorization: `Bearer ${access_token}` },
    // A token goes to its API, and nowhere that the API may point to.
    redirect: 'error',
    signal: AbortSignal.timeout(10_000),
  })
  const token_hash = createHash('sha256').update(access_token).digest('hex').slice(0, 12)
  const { status } = answer
  return { url, token_hash, expires_in, scope, status, body: await answer.text() }
}
