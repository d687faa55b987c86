import { integer, oxd_id, required, string, strings, token } from '../../command.js'
import { CommandError } from '../../errors.js'
import { type BroughtBack, completeLogin } from '../../logins.js'
import { readCallback } from '../../op/callback.js'
import { withoutSources } from '../../op/userinfo.js'
import { tokenPolicy } from '../../token_policy.js'
import { claims, oxdClaims } from '../claims.js'
import { type OxdContext, orNull, oxdCommand } from '../oxd_command.js'

export const get_tokens_by_code = oxdCommand({
  doc: 'Completes a login that an oxd client began: redeems the code and validates the ID Token.',
  since: '2.4.1',
  asks_op: true,
  params: {
    oxd_id,
    code: string({ doc: 'The code that the callback brought.', secret: true }),
    state: string({
      doc: 'The state that the callback brought. Clients of 2.4 may know none: in a realm with `oxd_clients = 2.4`, where there is no such parameter at all, the login is completed if it is the only one of the site that waits.',
      minLength: 0,
      // It alone ties a login of theirs to its callback.
      secret: true,
    }),
    iss: string({ doc: 'The iss that the callback brought (RFC 9207), from who knows of it.' }),
    url: token({
      doc: 'The address that the browser requested, whole, instead of its parts.',
      secret: 'address',
    }),
    scopes: strings({ doc: 'Of oxD 2.4; the scopes are those that the login asked for.' }),
  },
  result: {
    access_token: orNull(token({ doc: 'The access token; null if the login asked for none.' })),
    expires_in: required(
      integer({ doc: 'Seconds until it expires; -1 if the OP did not say.', minimum: -1 }),
    ),
    id_token: required(token({ doc: 'The ID Token.' })),
    refresh_token: orNull(token({ doc: 'The refresh token, if the OP issued one.' })),
    id_token_claims: required(claims({ doc: "The validated ID Token's claims." })),
  },
  async run(context, site, params) {
    const { realm, refuse } = context
    if (tokenPolicy(realm, site) === 'daemon') {
      return refuse('tokens_kept_by_daemon', 'relyd keeps the tokens of this site')
    }
    const brought = broughtBy(context, params)
    const { tokens } = await completeLogin(context, site, brought).catch(inWordsOfOxd)
    const { access_token = null, expires_in = -1, id_token, refresh_token = null } = tokens
    const id_token_claims = oxdClaims(withoutSources(tokens.id_token_claims), realm)
    return { access_token, expires_in, id_token, refresh_token, id_token_claims }
  },
})

interface Given {
  code?: string
  state?: string
  iss?: string
  url?: string
}

/** What the client has of the callback. */
function broughtBy({ realm, refuse }: OxdContext, { code, state, iss, url }: Given): BroughtBack {
  if (code === undefined) {
    if (url !== undefined) return { ...readCallback(url), callback: url }
    return refuse('invalid_request', 'code is missing: pass what the callback brought', {
      details: { field: 'code' },
    })
  }
  // A blank one is from a client that knows it, and whose callback came without.
  if (!state && !(state === undefined && realm.oxd_clients === '2.4')) {
    return refuse('invalid_request', 'state is missing: pass what the callback brought', {
      details: { field: 'state' },
    })
  }
  return {
    response: new URLSearchParams({
      code,
      ...(state !== undefined && { state }),
      ...(iss !== undefined && { iss }),
    }),
    came: undefined,
    ...(state === undefined && { is_only_login: true }),
  }
}

/** Where relyd's own clients are told of another command, or to pass what an oxd client did not pick out. */
function inWordsOfOxd(error: unknown): never {
  if (!(error instanceof CommandError)) throw error
  const { code, details = {} } = error
  if (details['field'] === 'code') {
    throw new CommandError(
      code,
      "this site's logins come back with more than a code (response_type): pass the whole address of the callback as url, or register the site for code alone",
      { details },
    )
  }
  if (details['parameter'] === 'iss' && details['received'] === undefined) {
    throw new CommandError(
      code,
      'the callback lacks `iss`, which this OP sends with every answer: pass it beside code and state, or give each OP a redirect URI of its own',
      { details },
    )
  }
  throw error
}
