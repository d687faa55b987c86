/** Where a redirect leads, and where it does not. */
import { describe, expect, test } from 'vitest'
import { AddressPolicy } from './address_policy.js'
import { redirectTarget } from './redirects.js'

const policy = new AddressPolicy({
  realm: 'shop',
  allowed_hosts: ['op.internal'],
  insecure_hosts: ['127.0.0.1'],
  proxied: false,
})

function target(
  location: string | undefined,
  { from = 'https://a.example/w?q', followed = 0 } = {},
) {
  const headers = new Headers(location === undefined ? {} : { location })
  return redirectTarget(policy, new URL(from), { status: 302, headers }, followed)?.href
}

describe('follows', () => {
  test.each([
    ['another host', 'https://b.example/x?y', 'https://b.example/x?y'],
    ['another path', '/x', 'https://a.example/x'],
    ['without a fragment', '/x#y', 'https://a.example/x'],
    [
      'to the same path of a host that the operator named',
      'https://op.internal/w',
      'https://op.internal/w',
    ],
    ['without TLS, where the operator allows it', 'http://127.0.0.1/w', 'http://127.0.0.1/w'],
  ])('%s', (_, location, to) => {
    expect(target(location)).toBe(to)
  })

  test('within the hosts that the operator named, anywhere', () => {
    const from = 'https://op.internal/w'
    expect(target('https://op.internal/x', { from })).toBe('https://op.internal/x')
  })

  test.each([200, 204, 300, 304, 404, 500])('not %i', (status) => {
    const headers = new Headers({ location: 'https://b.example' })
    const from = new URL('https://a.example')
    expect(redirectTarget(policy, from, { status, headers }, 0)).toBeUndefined()
  })
})

describe('refuses', () => {
  test.each([
    ['nowhere', undefined, /nowhere/],
    ['what is no address', 'https://', /nowhere/],
    ['http', 'http://b.example/', /not https/],
    ['a file', 'file:///etc/passwd', /not https/],
    ['a script', 'javascript:0', /not https/],
    ['a user', 'https://root@b.example/', /user/],
    [
      'a path of its choice at a host that the operator named',
      'https://op.internal/x',
      /another path/,
    ],
  ])('%s', (_, location, message) => {
    expect(() => target(location)).toThrow(message)
  })

  test('the fourth', () => {
    expect(target('/x', { followed: 2 })).toBe('https://a.example/x')
    expect(() => target('/x', { followed: 3 })).toThrow(/3 times/)
  })
})
