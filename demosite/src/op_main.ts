/** The embedded OP as a process of its own, started by main.ts. */
import { serveParent } from './child.js'
import { startOp } from './op.js'

await serveParent(async () => {
  const { issuer, close } = await startOp({
    show_hint: true,
    // Who has a minute sees that relyd gets the next access token by itself.
    access_token_ttl: 60,
    configuration: {
      issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    },
  })
  return { address: issuer, close }
})
