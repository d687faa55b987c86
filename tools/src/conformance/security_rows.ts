/** Classes of faults that others published, each with what relyd is held to. */
import { rowsOf, type Section } from './row.js'

export const securitySection: Section = {
  title: 'Security',
  about: 'Classes of faults that were published of others, most with a CVE.',
  rows: rowsOf([
    ['S1', 'alg none, or a signature that is skipped'],
    ['S2', 'an unknown algorithm passes'],
    ['S3', 'RS256 is taken for HS256'],
    ['S4', 'crit is ignored'],
    ['S5', 'another algorithm than the registered one'],
    ['S6', 'a refreshed ID Token is not verified'],
    ['S7', 'an API takes a token that is not for it'],
    ['S8', 'state is not bound to the browser'],
    ['S9', 'session fixation'],
    ['S10', 'mix-up of OPs'],
    ['S11', 'open redirects'],
    ['S12', 'what was posted comes back to somebody else'],
    ['S13', 'a rule that matches paths is got around'],
    ['S14', 'forwarded headers are believed'],
    [
      'S15',
      'headers with another spelling',
      { not_ours: 'relyd is no proxy: it takes no identity from a header, and sets none' },
    ],
    [
      'S16',
      'an e-mail address as identity',
      {
        not_ours:
          'relyd names End-Users by iss and sub and looks at no e-mail address; whom a website takes for whom is its own matter',
      },
    ],
    ['S17', 'line breaks in headers'],
    ['S18', 'scripts in pages that are made here'],
    ['S19', 'crafted cookies'],
    ['S20', 'logins that are begun without end'],
    ['S21', 'tokens as large as bombs'],
    ['S22', 'PBES2 with a count of its own'],
    [
      'S26',
      'a key that is dropped silently',
      {
        not_ours:
          'a signed JWKS is no part of relyd; keys of the configuration are checked when they are given',
      },
    ],
    ['S27', 'logout tokens without iat or jti, and replayed ones', { later: 'logout' }],
    ['S28', 'front-channel logout by anybody', { later: 'logout' }],
    ['S30', 'tokens in logs'],
    ['S31', 'comparisons that tell by their time', { note: 'of nonces, hashes and foreign ids' }],
    ['S32', 'Set-Cookie in a cache'],
    ['S34', 'one-time values that serve twice'],
    ['S36', 'client assertions that another OP can use'],
    ['S37', 'the daemon as a way into the network; jku, x5u'],
    ['S39', 'a caller’s parameters replace one’s own'],
    ['S40', 'weak random values'],
    ['S42', 'a client certificate that is silently left out'],
    ['S43', 'a crash by what the administration is sent'],
    ['S44', 'revoked tokens that serve on'],
    ['S45', 'the local socket: others’ eyes, endless frames, slow peers, other realms'],
  ]),
}
