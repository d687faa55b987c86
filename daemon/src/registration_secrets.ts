/** What a site gives to be let in with where an OP registers not just anybody, as it is checked and stored. */
import { string, strings, token, type Values } from './command.js'
import { refused } from './refused.js'
import type { SiteSecrets } from './store/store.js'

/** Parameters of the commands that register a site, and change it. */
export const accessFields = {
  initial_access_token: token({
    doc: 'What the OP wants to see before it registers the site, a JWT or any other text, which is sent as it is. It is kept, sealed, for when the registration must be renewed.',
    spec: 'RFC 7591 3',
  }),
  registration_client_id: string({
    doc: 'A client that gets that token first, by the client credentials grant. It and its secret are kept, sealed.',
    spec: 'RFC 6749 4.4',
  }),
  registration_client_secret: string({ doc: "That client's secret.", secret: true }),
  registration_scope: strings({ doc: 'Scopes of that token, such as dcr. Default: none.' }),
}

export type AccessSecrets = Pick<SiteSecrets, 'initial_access_token' | 'registration_client'>

/**
 * What was given.
 *
 * @throws CommandError `invalid_request` for what is of use with something else only
 */
export function accessOf(params: Values<typeof accessFields>): AccessSecrets {
  const { initial_access_token, registration_client_id: client_id } = params
  const { registration_client_secret: client_secret, registration_scope: scope } = params
  const together = 'belongs to registration_client_id and registration_client_secret; give both'
  if (client_id !== undefined && client_secret === undefined) {
    throw refused('registration_client_id', together)
  }
  if (client_secret !== undefined && client_id === undefined) {
    throw refused('registration_client_secret', together)
  }
  if (scope !== undefined && client_id === undefined) {
    throw refused('registration_scope', together)
  }
  if (initial_access_token !== undefined && client_id !== undefined) {
    const why = 'is what registration_client_id would get; give one of the two'
    throw refused('initial_access_token', why)
  }
  if (initial_access_token !== undefined) return { initial_access_token }
  if (client_id === undefined || client_secret === undefined) return {}
  return {
    registration_client: {
      client_id,
      client_secret,
      ...(scope?.length && { scope: scope.join(' ') }),
    },
  }
}

/** The site's secrets with others of these, where some were given. */
export function withAccess(secrets: SiteSecrets, access: AccessSecrets): SiteSecrets {
  if (Object.keys(access).length === 0) return secrets
  const { initial_access_token: _, registration_client: __, ...kept } = secrets
  return { ...kept, ...access }
}
