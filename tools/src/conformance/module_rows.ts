/** The modules by which the OpenID Foundation tests relying parties, by their names. */
import { type Row, rowsOf, type Section } from './row.js'

type More = Omit<Row, 'id' | 'title'>

const family = (prefix: string, rows: [name: string, title: string, more?: More][]): Row[] =>
  rowsOf(rows.map(([name, title, more = {}]) => [`${prefix}${name}`, title, more] as const))

const core: Section = {
  title: 'Core',
  about:
    'Bent ID Tokens, UserInfo and callbacks. Where the RP must stop, it sends nothing more to the OP, and no session or token comes of it.',
  rows: family('oidcc-client-test', [
    ['', 'an honest OP: login and UserInfo'],
    ['-nonce-unless-code-flow', 'a nonce in implicit and hybrid flow'],
    ['-nonce-invalid', 'a wrong nonce'],
    ['-invalid-iss', 'a wrong iss'],
    ['-missing-sub', 'no sub'],
    ['-invalid-aud', 'a wrong aud'],
    ['-missing-aud', 'no aud'],
    ['-missing-iat', 'no iat'],
    ['-kid-absent-single-jwks', 'no kid, one key: accepted'],
    ['-kid-absent-multiple-jwks', 'no kid, many keys, some of unknown kinds'],
    ['-idtoken-sig-rs256', 'RS256: accepted'],
    ['-idtoken-sig-none', 'no signature', { note: 'refused, in the code flow too' }],
    ['-invalid-sig-rs256', 'a broken signature'],
    ['-invalid-sig-hs256', 'a broken HMAC'],
    ['-invalid-sig-es256', 'a broken signature, ES256'],
    ['-invalid-chash', 'a wrong c_hash'],
    ['-missing-chash', 'no c_hash'],
    ['-invalid-athash', 'a wrong at_hash'],
    ['-missing-athash', 'no at_hash beside a front-channel access token'],
    ['-userinfo-invalid-sub', 'UserInfo of somebody else'],
    ['-userinfo-bearer-header', 'the access token in the header, and nowhere else'],
    [
      '-userinfo-bearer-body',
      'the access token in a form body',
      {
        not_ours:
          'the header is the one way that relyd has (RFC 6750 2.1); none of it is in a body or an address',
      },
    ],
    ['-userinfo-signed', 'signed UserInfo'],
    ['-scope-userinfo-claims', 'claims that scopes ask for'],
    ['-client-secret-basic', 'the secret in the header, form-encoded first'],
    ['-mtls-endpoint-aliases', 'endpoints of their own for client certificates'],
    ['-aggregated-claims', 'claims of others, in a JWT'],
    ['-distributed-claims', 'claims of others, at an address'],
    ['-form-post-error', 'an error as form_post'],
    ['-refresh-token', 'refresh, and UserInfo with what it brought'],
    ['-refresh-token-invalid-issuer', 'a refreshed ID Token of another iss'],
    ['-refresh-token-invalid-sub', 'a refreshed ID Token of another sub'],
    ['-3rd-party-init-login', 'a login that somebody else begins'],
  ]),
}

const discovery: Section = {
  title: 'Discovery, registration, keys, request objects',
  about: 'How the RP finds an OP, makes itself known there, and follows its keys.',
  rows: family('oidcc-client-test', [
    ['-discovery-openid-config', 'metadata are fetched, and used'],
    ['-discovery-jwks-uri-keys', 'keys come from the advertised address'],
    ['-discovery-issuer-mismatch', 'metadata of another issuer'],
    ['-discovery-webfinger-acct', 'an OP that is found by an account'],
    ['-discovery-webfinger-url', 'an OP that is found by an address'],
    ['-dynamic-registration', 'a client is registered'],
    ['-signing-key-rotation', 'new keys between two logins'],
    ['-signing-key-rotation-just-before-signing', 'new keys within a login'],
    [
      '-request-uri-signed-rs256',
      'a signed request object at an address',
      { later: 'signed requests' },
    ],
    [
      '-request-uri-signed-none',
      'an unsigned request object at an address',
      { later: 'signed requests' },
    ],
  ]),
}

const later_logout: More = { later: 'logout' }

const logout: Section = {
  title: 'Logout',
  about: 'From the RP to the OP, from the OP through the browser, and from the OP behind it.',
  rows: family('oidcc-client-test-rp-', [
    ['init-logout', 'a logout that the website begins'],
    ['init-logout-other-state', 'it comes back with another state', later_logout],
    ['init-logout-no-state', 'it comes back without state', later_logout],
    ['frontchannel-rpinitlogout', 'the OP calls in an iframe', later_logout],
    ['frontchannel-opinitlogout', 'the same, begun at the OP', later_logout],
    ['backchannel-rpinitlogout', 'the OP calls behind the browser', later_logout],
    ['backchannel-rpinitlogout-alg-none', 'a logout token without signature', later_logout],
    ['backchannel-rpinitlogout-wrong-alg', 'another algorithm', later_logout],
    ['backchannel-rpinitlogout-wrong-iss', 'another iss', later_logout],
    ['backchannel-rpinitlogout-wrong-aud', 'another aud', later_logout],
    ['backchannel-rpinitlogout-no-event', 'no event', later_logout],
    ['backchannel-rpinitlogout-wrong-event', 'another event', later_logout],
    ['backchannel-rpinitlogout-with-nonce', 'a nonce', later_logout],
    ['session-management', 'the OP’s iframe that tells of a change', later_logout],
  ]),
}

const legacy: Section = {
  title: 'Modules of the older suite',
  about: 'Those that the present suite has no more.',
  rows: family('rp-', [
    ['claims_request-id_token', 'claims that are asked for in the ID Token'],
    ['claims_request-userinfo', 'claims that are asked for in UserInfo'],
    ['id_token-sig+enc', 'signed and encrypted ID Tokens'],
    ['id_token-sig+enc-a128kw', 'the same, encrypted with the client’s secret'],
    ['id_token-sig-es256', 'ES256: accepted'],
    ['id_token-sig-hs256', 'HS256: accepted where it was registered'],
    ['userinfo-enc', 'encrypted UserInfo'],
    ['userinfo-sig+enc', 'signed and encrypted UserInfo'],
    ['request_uri-enc', 'encrypted request objects', { later: 'signed requests' }],
    ['request_uri-sig+enc', 'signed and encrypted request objects', { later: 'signed requests' }],
    [
      'key-rotation-op-enc-key',
      'the OP’s key of encryption is rotated',
      { later: 'signed requests' },
    ],
    ['discovery-webfinger-http-href', 'WebFinger that leads to http: refused'],
    ['discovery-webfinger-unknown-member', 'WebFinger with members nobody knows: ignored'],
    ['token_endpoint-client_secret_post', 'client_secret_post'],
    ['token_endpoint-client_secret_jwt', 'client_secret_jwt'],
    ['token_endpoint-private_key_jwt', 'private_key_jwt'],
    ['registration-uses-https-endpoints', 'addresses that are registered are https'],
    ['registration-well-formed-jwk', 'keys that are registered are well formed'],
    ['frontchannel-rpinitlogout-wrong-sid', 'a front-channel logout of another sid', later_logout],
    ['frontchannel-rpinitlogout-wrong-iss', 'a front-channel logout of another iss', later_logout],
  ]),
}

const families: Section = {
  title: 'FAPI, CIBA, Federation',
  about:
    'Cases of these families that concern any RP, by the ending of their names; the families themselves later.',
  rows: rowsOf([
    ['fapi2 discovery-issuer-mismatch', 'metadata of another issuer'],
    ['fapi2 invalid-authorization-response-iss', 'a wrong iss in the callback (RFC 9207)'],
    ['fapi2 remove-authorization-response-iss', 'no iss in the callback'],
    ['fapi2 invalid-authorization-response-state', 'a wrong state'],
    ['fapi2 missing-authorization-response-state', 'no state'],
    ['fapi2 invalid-secondary-aud', 'a further aud that nobody trusts'],
    ['fapi2 expired-exp', 'an ID Token that has expired'],
    ['fapi2 missing-exp', 'no exp'],
    ['fapi2 missing-nonce', 'no nonce'],
    ['fapi2 invalid-alternate-alg', 'another algorithm than was registered'],
    ['fapi2 valid-aud-as-array', 'aud as a list: accepted'],
    ['fapi2 token-endpoint-response-without-expires_in', 'no expires_in: accepted'],
    ['fapi2 token-type-case-insensitivity', 'token_type in other letters: accepted'],
    ['fapi1 invalid-shash', 'a wrong s_hash'],
    [
      'fapi2-security-profile-final-client-test',
      'the whole profile: PAR, DPoP or certificates',
      { later: 'FAPI' },
    ],
    ['fapi2-message-signing', 'JAR and JARM', { later: 'FAPI' }],
    ['fapi1-advanced-final-client-test', 'the older profile, whole', { later: 'FAPI' }],
    ['fapi-ciba-id1-client', 'logins at another device', { later: 'further grants' }],
    ['openid-federation-client', 'trust chains', { later: 'federation' }],
  ]),
}

const further: Section = {
  title: 'What the suites lack',
  about: 'Cases of our own.',
  rows: rowsOf([
    ['M1', 'HS256 keyed with the OP’s public key'],
    ['M2', 'exp past, missing or absurd; nbf and iat in the future'],
    ['M4', 'a JWE around an unsigned JWT'],
    ['M5', 'aud with a foreign client; azp wrong or absent'],
    ['M6', 'mix-up of two OPs'],
    ['M8', 'no state; the state of another browser; a replayed callback'],
    ['M10', 'token endpoints that answer nonsense, bombs, redirects, or nothing'],
    ['M11', 'jwks_uri that answers nonsense; a flood of random kids'],
    ['M13', 'refresh: no new refresh token, lost answers, races, changed claims'],
    ['M14', 'logout tokens: replayed, without iat or jti, of another typ', later_logout],
    [
      'M15',
      'registration: expiring secrets, rotated tokens, changed metadata',
      { note: 'PAR later' },
    ],
    ['M16', 'clocks that differ'],
  ]),
}

export const moduleSections = [core, discovery, logout, legacy, families, further]
