import { command, oxd_id, strings } from '../command.js'
import { clientTokenErrors, clientTokenOf } from '../op/client_token.js'
import { accessTokenResult } from '../sessions.js'

export const get_client_token = command({
  doc: "The site's own access token, for calls to APIs on nobody's behalf. Its registration must have client_credentials among its grant_types. Each call gets another token, which the site keeps as long as it is good, whatever `tokens` says.",
  spec: ['RFC 6749 4.4'],
  retry: 'safe',
  asks_op: true,
  params: {
    oxd_id,
    scope: strings({
      doc: 'What the token shall be good for. Without it, what the OP grants unasked.',
      spec: 'RFC 6749 3.3',
    }),
  },
  result: accessTokenResult,
  errors: ['invalid_oxd_id', ...clientTokenErrors],
  async run({ op }, site, { scope }) {
    const token = await clientTokenOf(op, site, scope?.length ? scope.join(' ') : undefined)
    return { ...token, token_type: 'Bearer' as const }
  },
})
