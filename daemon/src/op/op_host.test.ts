/** What people write for an OP's address, and what must not pass for one. */
import { afterAll, describe, expect, test } from 'vitest'
import { amplePlaces } from '../../../test/support/quotas.js'
import { CommandError } from '../errors.js'
import { OpHttp } from './http.js'
import { readOpHost } from './op_host.js'

const http = new OpHttp({
  timeout: 1,
  insecure_hosts: ['127.0.0.1'],
  allowed_hosts: [],
  realm: 'shop',
  places: amplePlaces,
})
afterAll(() => http.close())

function refusal(op_host: string): CommandError {
  try {
    readOpHost(http, op_host)
  } catch (error) {
    if (error instanceof CommandError) return error
    throw error
  }
  throw new Error('not refused')
}

describe('reads', () => {
  test.each([
    ['an issuer', 'https://op.example', 'https://op.example'],
    ['a slash behind the host', 'https://op.example/', 'https://op.example'],
    ['no scheme', 'op.example', 'https://op.example'],
    ['no scheme but a port', 'op.example:8443', 'https://op.example:8443'],
    ['no scheme but a path', 'op.example/tenant', 'https://op.example/tenant'],
    ['the default port', 'https://op.example:443', 'https://op.example'],
    ['other letters', 'HTTPS://OP.Example/Tenant', 'https://op.example/Tenant'],
    ['white space around', ' https://op.example\n', 'https://op.example'],
    ['a path', 'https://op.example/tenant', 'https://op.example/tenant'],
    ['a path whose slash matters', 'https://op.example/tenant/', 'https://op.example/tenant/'],
    [
      'the metadata’s address',
      'https://op.example/.well-known/openid-configuration',
      'https://op.example',
    ],
    [
      'the metadata’s address below a path',
      'https://op.example/tenant/.well-known/openid-configuration',
      'https://op.example/tenant',
    ],
    ['letters of other languages', 'https://bücher.example', 'https://xn--bcher-kva.example'],
    ['IPv6', 'https://[2001:db8::1]/', 'https://[2001:db8::1]'],
    ['http where the operator allows it', 'http://127.0.0.1:3000', 'http://127.0.0.1:3000'],
  ])('%s', (_, op_host, issuer) => {
    expect(readOpHost(http, op_host)).toBe(issuer)
  })

  test.each([
    ['tenant', 'https://op.example/tenant'],
    ['/tenant', 'https://op.example/tenant'],
    ['/tenant/v2.0', 'https://op.example/tenant/v2.0'],
    ['/tenant/.well-known/openid-configuration', 'https://op.example/tenant'],
    ['/.well-known/openid-configuration', 'https://op.example'],
    ['', 'https://op.example'],
  ])('the discovery path %j', (path, issuer) => {
    for (const op_host of ['https://op.example', 'https://op.example/', 'op.example']) {
      expect(readOpHost(http, op_host, path)).toBe(issuer)
    }
  })

  test('a discovery path below a path', () => {
    expect(readOpHost(http, 'https://op.example/a/', '/b')).toBe('https://op.example/a/b')
  })

  test('a discovery path that cannot lead to another host', () => {
    for (const path of [
      '//evil.example',
      '/\\evil.example',
      '@evil.example',
      'https://evil.example',
    ]) {
      expect(new URL(readOpHost(http, 'https://op.example', path)).host).toBe('op.example')
    }
  })
})

describe('refuses', () => {
  test.each([
    ['nothing', ' '],
    ['http', 'http://op.example'],
    ['http to a name that merely begins like an allowed one', 'http://127.0.0.1.evil.example'],
    ['http to an allowed address before an @', 'http://127.0.0.1@evil.example'],
    ['a file', 'file:///etc/passwd'],
    ['ftp', 'ftp://op.example'],
    ['a script', 'javascript:alert(1)'],
    ['a user', 'https://user@op.example'],
    ['a password', 'https://user:password@op.example'],
    ['a query', 'https://op.example/?tenant=1'],
    ['a fragment', 'https://op.example/#tenant'],
    ['no host', 'https://'],
    ['a port that is none', 'https://op.example:99999'],
    ['spaces inside', 'https://op example'],
  ])('%s', (_, op_host) => {
    expect(refusal(op_host).code).toBe('invalid_op_host')
  })

  test('without repeating a password', () => {
    expect(refusal('https://user:hunter2@op.example').message).not.toContain('hunter2')
  })

  test('http, naming the option that a test OP needs', () => {
    expect(refusal('http://localhost:3000').message).toContain('insecure_op_hosts')
  })
})
