import { command, integer, object, required, string } from '../command.js'
import { lookUp, lookupErrors } from '../lookups.js'
import { opParams } from '../op_params.js'

export const get_jwks = command({
  doc: "An OP's public keys as the daemon verifies with them: without private or oversized ones. The OP is asked only if no copy is known.",
  spec: ['RFC 7517 5', 'OIDC Core 10.1.1'],
  retry: 'safe',
  asks_op: true,
  params: opParams,
  result: {
    issuer: required(string({ doc: 'The OP, as it says itself.', spec: 'OIDC Discovery 3' })),
    jwks: required(object({ doc: 'The key set: `{"keys":[…]}`.', spec: 'RFC 7517 5' })),
    fetched_at: required(
      integer({ doc: 'When the documents of the OP were fetched, in seconds since the epoch.' }),
    ),
  },
  errors: lookupErrors,
  async run(context, _site, { op_host, op_discovery_path }) {
    const provider = await lookUp(context, op_host, op_discovery_path)
    // What could not be had with the metadata is asked for anew, as a login would.
    const jwks = provider.jwks ?? (await context.op.providers.refetchKeys(provider, null))
    if (!jwks) {
      return context.refuse('op_unreachable', 'the OP has not answered its keys; try again later')
    }
    return { issuer: provider.issuer, jwks: { keys: jwks.keys }, fetched_at: provider.fetched_at }
  },
})
