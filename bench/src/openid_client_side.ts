/** A website that uses openid-client itself: everything in this process. */
import { join } from 'node:path'
import { encodeMsgpack, MsgpackDecoder } from '@relyd/sdk/framing'
import * as client from 'openid-client'
import { callbackOf } from './callback.js'
import { ownCpu } from './cpu.js'
import { type Setting, type Side, website } from './side.js'
import { openWebsiteStore } from './website_store.js'

export async function openidClientSide({ folder, issuer }: Setting): Promise<Side> {
  const configuration = await client.discovery(
    new URL(issuer),
    website.client_id,
    undefined,
    client.ClientSecretBasic(website.client_secret),
    // Off unless asked for: the code flow's ID Token would not be verified.
    { execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks] },
  )
  const store = openWebsiteStore(join(folder, 'website.db'))

  async function url(): Promise<string> {
    const state = client.randomState()
    const nonce = client.randomNonce()
    const code_verifier = client.randomPKCECodeVerifier()
    const { href } = client.buildAuthorizationUrl(configuration, {
      redirect_uri: website.redirect_uri,
      scope: website.scope.join(' '),
      state,
      nonce,
      code_challenge: await client.calculatePKCECodeChallenge(code_verifier),
      code_challenge_method: 'S256',
    })
    store.putLogin(state, { nonce, code_verifier })
    return href
  }

  async function login(): Promise<client.IDToken> {
    const callback = new URL(callbackOf(await url(), issuer))
    const state = callback.searchParams.get('state') ?? ''
    const pending = store.takeLogin(state)
    if (!pending) throw new Error('no login waits for this state')
    const tokens = await client.authorizationCodeGrant(configuration, callback, {
      expectedState: state,
      expectedNonce: pending.nonce,
      pkceCodeVerifier: pending.code_verifier,
      idTokenExpected: true,
    })
    const claims = tokens.claims()
    if (!claims) throw new Error('no ID Token came')
    store.putSession(client.randomState(), claims.sub, JSON.stringify(tokens))
    return claims
  }

  return {
    url,
    login,
    ping: pingInProcess(),
    cpu: () => ({ client: ownCpu(), daemon: 0 }),
    async close() {
      store.close()
    },
  }
}

/** A ping without a socket: the same messages through the same codec, and a function between them. */
function pingInProcess(): () => Promise<unknown> {
  const toServer = new MsgpackDecoder()
  const toClient = new MsgpackDecoder()
  let id = 0
  return async () => {
    id += 1
    const [request] = toServer.push(encodeMsgpack({ id, command: 'ping', params: {} }))
    const reply = await answer(request)
    return toClient.push(encodeMsgpack(reply))[0]
  }
}

async function answer(request: unknown): Promise<object> {
  const { message } = request as { message: { id: number } }
  return { id: message.id, status: 'ok', data: { version: '0.1.0' } }
}
