import { command, integer, object, required, string } from '../command.js'
import { lookUp, lookupErrors } from '../lookups.js'
import { opParams } from '../op_params.js'

export const get_discovery = command({
  doc: "An OP's metadata as the daemon knows and uses it: checked, and without members that are neither texts, numbers, booleans nor lists of words. The OP is asked only if no copy is known.",
  spec: ['OIDC Discovery 3', 'OIDC Discovery 4'],
  retry: 'safe',
  asks_op: true,
  params: opParams,
  result: {
    issuer: required(string({ doc: 'The OP, as it says itself.', spec: 'OIDC Discovery 3' })),
    metadata: required(object({ doc: 'What it says of itself.', spec: 'OIDC Discovery 3' })),
    fetched_at: required(integer({ doc: 'When the OP said so, in seconds since the epoch.' })),
  },
  errors: lookupErrors,
  async run(context, _site, { op_host, op_discovery_path }) {
    const { issuer, metadata, fetched_at } = await lookUp(context, op_host, op_discovery_path)
    return { issuer, metadata: { ...metadata }, fetched_at }
  },
})
