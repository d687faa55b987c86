/** The real OP with what Gluu's had for sites of oxd: tokens for clients, refresh tokens without asking, and claims of its own. */
import type { Configuration } from 'oidc-provider'
import { type Op, startOp } from '../../../demosite/src/op.js'
import { users } from '../../../demosite/src/users.js'

/** Claims that Python takes for no attribute; they come with the scope `odd`. */
const odd_claims = { 'https://op.example/role': 'admin', class: 'first', _id: 7 }

export function startOxdOp(overrides: Configuration = {}): Promise<Op> {
  return startOp({
    configuration: {
      scopes: ['openid', 'profile', 'email', 'offline_access', 'uma_protection', 'oxd', 'odd'],
      claims: {
        openid: ['sub'],
        odd: Object.keys(odd_claims),
        profile: ['name', 'updated_at'],
        email: ['email', 'email_verified'],
      },
      findAccount(_ctx, sub) {
        const user = users.find((user) => user.name === sub)
        const claims = { sub, ...user?.claims, ...odd_claims }
        return user && { accountId: sub, claims: () => claims }
      },
      issueRefreshToken: (_ctx, client) => client.grantTypeAllowed('refresh_token'),
      features: { clientCredentials: { enabled: true } },
      ...overrides,
    },
  })
}

/** What the OP knows of the client that an authorization URL is for; undefined when it is gone. */
export async function clientOf({ provider }: Op, authorization_url: string) {
  const id = new URL(authorization_url).searchParams.get('client_id') as string
  return (await provider.Client.find(id))?.metadata()
}
