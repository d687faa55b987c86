/** The names of how a client authenticates, apart from the doing: the command line has them too. */

/** All methods of client authentication (OIDC Core 9, RFC 8705 2), an assertion from a file, and Apple's. */
export const credentialMethods = [
  'none',
  'client_secret_basic',
  'client_secret_post',
  'client_secret_jwt',
  'private_key_jwt',
  'tls_client_auth',
  'self_signed_tls_client_auth',
  'assertion_file',
  'apple',
] as const
