/** A client's own access token, by the client credentials grant (RFC 6749 4.4). */
import * as client from 'openid-client'
import type { Site } from '../store/store.js'
import { clientOf, useHttpLayer } from './client.js'
import { preferredSecretMethod } from './client_authentication.js'
import { asCommandError, clientErrors } from './op_errors.js'
import type { OpSide } from './op_side.js'
import type { Provider } from './provider.js'
import { checkAccess, type TokenAnswer } from './token_answer.js'

/** Codes that it can end with. */
export const clientTokenErrors = [...clientErrors, 'invalid_op_response'] as const

/** What an OP answers to it: RFC 6749 4.4.3 leaves refresh tokens out, and nobody logged in. */
export type ClientToken = Pick<TokenAnswer, 'access_token' | 'expires_in' | 'scope'>

/**
 * A site's own access token.
 *
 * @param scope absent, what the OP grants unasked
 * @throws CommandError with one of {@link clientTokenErrors}
 */
export async function clientTokenOf(op: OpSide, site: Site, scope?: string): Promise<ClientToken> {
  const { configuration } = await clientOf(op, site)
  return grant(configuration, scope)
}

/** A client that is no site here: nothing of it is kept. */
export interface PassingClient {
  client_id: string
  client_secret: string
  /** Absent, what the OP offers. */
  method?: 'client_secret_basic' | 'client_secret_post' | undefined
  scope?: string | undefined
}

/**
 * The same of a client that is no site.
 *
 * @throws CommandError with one of {@link clientTokenErrors}
 */
export async function passingClientToken(
  op: OpSide,
  provider: Provider,
  { client_id, client_secret, scope, method }: PassingClient,
): Promise<ClientToken> {
  const { metadata } = provider
  const authenticate =
    (method ?? preferredSecretMethod(metadata)) === 'client_secret_post'
      ? client.ClientSecretPost(client_secret)
      : client.ClientSecretBasic(client_secret)
  const configuration = new client.Configuration(metadata, client_id, {}, authenticate)
  useHttpLayer(op, provider, configuration)
  return grant(configuration, scope)
}

async function grant(
  configuration: client.Configuration,
  scope: string | undefined,
): Promise<ClientToken> {
  try {
    const answer = await client.clientCredentialsGrant(
      configuration,
      scope === undefined ? {} : { scope },
    )
    const { refresh_token: _, ...access } = checkAccess(answer)
    return access
  } catch (error) {
    throw await asCommandError(error, 'RFC 6749 5.1')
  }
}
