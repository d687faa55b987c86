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
      doc: 'The state that the callback brought. oxD 2.4 asked for none: without it the login is completed if it is the only one of the site that waits.',
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
      return refuse(
        'tokens_kept_by_daemon',
        'relyd keeps the tokens of this site (tokens = daemon), and oxd clients know nothing else; let the site have them, or use a client of relyd',
      )
    }
    const brought = broughtBy(context, params)
    const { tokens } = await completeLogin(context, site, brought).catch(withoutBinding)
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
function broughtBy({ refuse }: OxdContext, { code, state, iss, url }: Given): BroughtBack {
  if (code === undefined) {
    if (url !== undefined) return { ...readCallback(url), callback: url }
    return refuse('invalid_request', 'code is missing: pass what the callback brought', {
      details: { field: 'code' },
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

/** What relyd's own clients are told to do about it, oxd's cannot. */
function withoutBinding(error: unknown): never {
  if (!(error instanceof CommandError) || error.code !== 'invalid_binding') throw error
  throw new CommandError(
    'invalid_binding',
    "this login was begun by a client of relyd's own, and is bound to a browser: only such a client can complete it; start another one",
  )
}
