/** What two relying parties of others can do: Curity's example client in Python (C) and pyoidc (P). */
import { rowsOf, type Section } from './row.js'

const curity: Section = {
  title: 'Curity’s OpenID Connect client in Python',
  about: 'What that client does, and relyd with it.',
  rows: rowsOf([
    ['C1', 'discovery by the issuer; endpoints given by hand where there is none'],
    ['C2', 'a client that the OP’s operator issued'],
    ['C3', 'dynamic registration, with metadata of one’s own or a software_id'],
    ['C4', 'registration with an access token that client_credentials brought first'],
    ['C5', 'a registration is kept, and can be undone'],
    ['C6', 'code, implicit and hybrid flow; a page posts the fragment on'],
    ['C7', 'PKCE with S256 in every request'],
    ['C8', 'one state a login, deleted after use; a nonce'],
    ['C9', 'parameters of a login: acr_values, prompt, ui_locales, max_age, claims, scope'],
    ['C10', 'parameters that every login has', { note: 'by OP: authorization_parameters' }],
    ['C11', 'requests as signed objects', { later: 'signed requests' }],
    ['C12', 'the code is exchanged with the client’s secret and the code_verifier'],
    [
      'C13',
      'ID Token: signature by jwks_uri, iss, aud',
      { note: 'and of others those that the operator lists, trusted_audiences' },
    ],
    ['C14', 'refresh'],
    ['C15', 'revocation of refresh and access tokens, with a hint'],
    [
      'C16',
      'calls to APIs with the access token',
      { note: 'the website calls; relyd keeps the token fresh' },
    ],
    ['C17', 'RP-initiated logout: the session ends here first'],
    ['C18', 'what the ID Token says, decoded'],
    ['C19', 'a configuration file, whose values the environment may replace'],
    [
      'C20',
      'TLS verification that can be switched off',
      { not_ours: 'TLS is always verified; a CA of one’s own can be named (NODE_EXTRA_CA_CERTS)' },
    ],
  ]),
}

const pyoidc: Section = {
  title: 'pyoidc',
  about: 'What the oldest certified library in Python does, and relyd with it.',
  rows: rowsOf([
    ['P1', 'WebFinger for e-mail, acct:, URL and host:port; only to https'],
    ['P2', 'the OP’s metadata are fetched, and kept'],
    [
      'P3',
      'another issuer than the one asked for is refused',
      {
        note: 'to the letter, but for a slash behind the host; an exception is the operator’s, by name',
      },
    ],
    ['P4', 'metadata make sense: https issuer without query, openid, a token_endpoint for code'],
    ['P5', 'metadata given by hand'],
    ['P6', 'dynamic registration, with an initial access token as it is'],
    ['P7', 'a client that was registered by hand'],
    ['P8', 'a registration is read, changed and deleted (RFC 7592)'],
    ['P9', 'client_secret_expires_at is remembered, and acted on'],
    [
      'P10',
      'preferences are matched against what the OP offers; grant types follow from response types',
    ],
    ['P11', 'software statements', { note: 'sent as they were issued; relyd makes none' }],
    ['P12', 'all registration metadata; enc without alg, and alg none, are refused'],
    ['P13', 'code, implicit, hybrid; response_mode'],
    [
      'P14',
      'authorization requests by GET or POST',
      {
        note: 'GET, as the website’s redirect is, and as each OP takes it, OIDC Core 3.1.2.1; POST is not ours: long requests are for PAR, later',
      },
    ],
    [
      'P15',
      'display, prompt, max_age, locales, hints, acr_values, claims, registration; none stands alone',
    ],
    ['P16', 'a nonce in implicit and hybrid flow', { note: 'in every flow' }],
    [
      'P17',
      'the claims parameter: essential acr and auth_time, and sub, are held against what came',
      { note: 'other claims an OP may leave out, essential or not, OIDC Core 5.5.1' },
    ],
    ['P18', 'request objects, signed and encrypted', { later: 'signed requests' }],
    ['P19', 'request_uri', { later: 'signed requests' }],
    [
      'P20',
      'PKCE; the code_verifier is kept',
      { note: 'S256 alone, the one method that is registered' },
    ],
    [
      'P21',
      'a state that is a JWT',
      { not_ours: 'state is random, and what belongs to it is kept here' },
    ],
    ['P22', 'client authentication: basic, post, client_secret_jwt, private_key_jwt, certificate'],
    ['P23', 'the audience of a client assertion', { note: 'the issuer alone' }],
    ['P24', 'answers and errors of every shape have a code, 200 with an error too'],
    [
      'P25',
      'ID Token: signature, pinned algorithm, iss, aud, azp, exp, iat, nonce, acr, auth_time, at_hash, c_hash',
    ],
    ['P26', 'encrypted and nested ID Tokens and UserInfo; pinned algorithms'],
    ['P27', 'a JWT without kid, with one key and with several'],
    ['P28', 'the OP’s keys are kept, fetched again for an unknown kid, unknown kinds skipped'],
    ['P29', 'keys of one’s own: made, imported, published with a kid'],
    ['P30', 'jku', { note: 'never fetched' }],
    [
      'P31',
      'UserInfo by GET or POST, plain, signed or encrypted; sub compared; refreshed first if expired',
    ],
    ['P32', 'aggregated and distributed claims', { note: 'verified' }],
    ['P33', 'refresh; tokens that were replaced are forgotten'],
    ['P34', 'a protected resource, with a refresh when the token has expired'],
    ['P35', 'client_credentials, password and JWT bearer grants', { later: 'further grants' }],
    ['P36', 'introspection and revocation'],
    ['P37', 'token exchange, device flow', { later: 'further grants' }],
    ['P38', 'proof-of-possession keys', { later: 'sender-constrained tokens' }],
    ['P39', 'logout request with id_token_hint, state, post_logout_redirect_uri'],
    ['P40', 'back-channel logout', { later: 'logout' }],
    ['P41', 'front-channel logout', { later: 'logout' }],
    ['P42', 'a login from its beginning to its session, over processes that come and go'],
    [
      'P43',
      'several OPs, each found, described or registered at in its own way; a redirect URI each',
    ],
    ['P44', 'login_required leads to another login; who it is, is iss and sub together'],
    ['P45', 'a client certificate, time limits, one’s own CA'],
    ['P46', 'what is said to an OP can be followed, and secrets are left out'],
    [
      'P47',
      'what pyoidc lacks: PAR, JARM, DPoP, RFC 9207, metadata fetched again, a store for several processes',
      { note: 'PAR, JARM and DPoP later; the rest' },
    ],
  ]),
}

export const featureSections = [curity, pyoidc]
