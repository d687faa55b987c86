/** RFC 6750: what is a bearer token, and what answers a request without a good one. */
import { expect, test } from 'vitest'
import { checkScope, readBearer, refuse } from './bearer.js'

test.each([
  ['Bearer abc', 'abc'],
  ['bearer abc', 'abc'],
  ['BEARER   abc', 'abc'],
  ['Bearer a.b_c-d~e+f/g==', 'a.b_c-d~e+f/g=='],
])('%j brings a token', (header, token) => {
  expect(readBearer(header)).toEqual({ token })
})

test.each([
  ['none', null],
  ['none', ''],
  ['none', 'Basic YWxpY2U6eA=='],
  ['none', 'Bearerabc'],
  ['none', 'DPoP abc'],
  ['malformed', 'Bearer'],
  ['malformed', 'Bearer '],
  ['malformed', 'Bearer a b'],
  ['malformed', 'Bearer a, Bearer b'],
  ['malformed', 'Bearer a=b'],
  ['malformed', 'Bearer "a"'],
  ['malformed', 'Bearer a\tb'],
  ['malformed', 'Bearer ä'],
  ['malformed', `Bearer ${'a'.repeat(20_000)}`],
])('%s: %j', (what, header) => {
  expect(readBearer(header)).toBe(what)
})

test('the challenges say why, and what would do', async () => {
  const challenge = (response: Response) => [
    response.status,
    response.headers.get('www-authenticate'),
    response.headers.get('cache-control'),
  ]
  const realm = 'https://site.example'
  expect(challenge(refuse('none', realm))).toEqual([
    401,
    'Bearer realm="https://site.example"',
    'no-store',
  ])
  expect(challenge(refuse('malformed', realm, ['a']))).toEqual([
    400,
    'Bearer realm="https://site.example", error="invalid_request", error_description="The Authorization header is not one bearer token."',
    'no-store',
  ])
  expect(challenge(refuse('inactive', realm))[1]).toContain('error="invalid_token"')
  expect(challenge(refuse('scope', realm, ['a', 'b']))).toMatchObject([
    403,
    expect.stringMatching(/error="insufficient_scope".* scope="a b"$/),
    'no-store',
  ])
  expect(await refuse('inactive', realm).json()).toMatchObject({ error: 'invalid_token' })
})

test('what can be no scope is the developer’s mistake', () => {
  checkScope(['read', 'https://api.example/time'])
  for (const wrong of ['', 'a b', 'a"b', 'a\\b', 'ä', 'a\n']) {
    expect(() => checkScope(['read', wrong])).toThrow(TypeError)
  }
})
