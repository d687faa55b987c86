/** What a bent OP says of itself (OIDC Discovery 3), as long as nobody bends it. */
import { contentAlgs, keyAlgs } from './jwe.js'
import type { BentOp } from './op.js'
import type { BentOpOptions, Endpoint, Members } from './types.js'

/** Members of metadata by what is served there. */
export const SERVED: Record<string, Endpoint> = {
  jwks_uri: 'jwks',
  registration_endpoint: 'registration',
  token_endpoint: 'token',
  userinfo_endpoint: 'userinfo',
  revocation_endpoint: 'revocation',
  introspection_endpoint: 'introspection',
}

export function metadataOf(op: BentOp, options: BentOpOptions): Members {
  const { published, metadata, alg = options.key?.alg ?? 'RS256', more_algs = [] } = options
  if (published) {
    const text = JSON.stringify(published.metadata)
    const here = text.replace(/https:\/\/[^/"]+/g, op.origin)
    return { ...JSON.parse(here), ...metadata }
  }
  const signing_algs = [alg, ...more_algs]
  return {
    issuer: op.issuer,
    authorization_endpoint: `${op.issuer}/authorize`,
    ...Object.fromEntries(Object.entries(SERVED).map(([name, one]) => [name, op.address(one)])),
    response_types_supported: [
      ...['code', 'id_token', 'code id_token'],
      ...['id_token token', 'code token', 'code id_token token'],
    ],
    response_modes_supported: ['query', 'fragment', 'form_post'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: signing_algs,
    id_token_encryption_alg_values_supported: keyAlgs,
    id_token_encryption_enc_values_supported: contentAlgs,
    userinfo_signing_alg_values_supported: signing_algs,
    userinfo_encryption_alg_values_supported: keyAlgs,
    userinfo_encryption_enc_values_supported: contentAlgs,
    token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'none'],
    claims_parameter_supported: true,
    authorization_response_iss_parameter_supported: true,
    ...metadata,
  }
}
