/** P1: what people type in to be found, as OIDC Discovery 2.1.2 reads it. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CommandError } from '../errors.js'
import { readIdentifier } from './webfinger.js'

describe('P1 reads', () => {
  test.each([
    // OIDC Discovery 2.1.2, 2.2
    ['an e-mail address', 'joe@example.com', 'acct:joe@example.com', 'example.com'],
    [
      'an e-mail address with two @',
      'juliet@capulet.example@shopping.example.com',
      'acct:juliet%40capulet.example@shopping.example.com',
      'shopping.example.com',
    ],
    ['an account', 'acct:joe@example.com', 'acct:joe@example.com', 'example.com'],
    [
      'an account that is encoded',
      'acct:juliet%40capulet.example@shopping.example.com',
      'acct:juliet%40capulet.example@shopping.example.com',
      'shopping.example.com',
    ],
    ['an address', 'https://example.com/joe', 'https://example.com/joe', 'example.com'],
    ['host and port', 'example.com:8080', 'https://example.com:8080/', 'example.com:8080'],
    ['a host', 'example.com', 'https://example.com/', 'example.com'],
    ['host and path', 'example.com/joe', 'https://example.com/joe', 'example.com'],
    [
      'user, host and port',
      'joe@example.com:8080',
      'https://joe@example.com:8080/',
      'example.com:8080',
    ],
    [
      'a fragment, and strips it',
      'https://example.com/joe#me',
      'https://example.com/joe',
      'example.com',
    ],
    ['a query', 'https://example.com/?u=joe', 'https://example.com/?u=joe', 'example.com'],
    // What people type besides
    ['white space around', ' joe@example.com\n', 'acct:joe@example.com', 'example.com'],
    ['other letters', 'Joe@EXAMPLE.com', 'acct:Joe@example.com', 'example.com'],
    ['a scheme in other letters', 'ACCT:joe@example.com', 'acct:joe@example.com', 'example.com'],
    [
      'letters of other languages',
      'joë@bücher.example',
      'acct:jo%C3%AB@xn--bcher-kva.example',
      'xn--bcher-kva.example',
    ],
    ['a tag', 'joe+news@example.com', 'acct:joe+news@example.com', 'example.com'],
    [
      'host, port and path',
      'example.com:8080/joe',
      'https://example.com:8080/joe',
      'example.com:8080',
    ],
    ['a slash behind a user', 'joe/x@example.com', 'https://joe/x@example.com', 'joe'],
    [
      'IPv6',
      'https://[2001:db8::1]:8443/joe',
      'https://[2001:db8::1]:8443/joe',
      '[2001:db8::1]:8443',
    ],
  ])('%s', (_, typed, resource, authority) => {
    expect(readIdentifier(typed)).toMatchObject({ resource, authority })
  })

  test('whatever it reads once in the same way again, and asks no other host than it names', () => {
    fc.assert(
      fc.property(fc.oneof(fc.webUrl(), fc.emailAddress(), fc.domain(), fc.string()), (typed) => {
        let read: ReturnType<typeof readIdentifier>
        try {
          read = readIdentifier(typed)
        } catch (error) {
          expect(error).toMatchObject({ code: 'invalid_request', details: { field: 'resource' } })
          return
        }
        const { resource, authority } = read
        expect(readIdentifier(resource)).toMatchObject({ resource, authority })
        expect(new URL(`https://${authority}/.well-known/webfinger`).host).toBe(authority)
        expect(resource).toMatch(/^(acct|https?):[\x21-\x7e]+$/)
        expect(resource).not.toContain('#')
      }),
      { numRuns: 2000 },
    )
  })
})

describe('P1 refuses', () => {
  test.each([
    ['nothing', ' '],
    ['an XRI', '=joe'],
    ['an XRI of a company', '@example*joe'],
    ['an XRI by its scheme', 'xri://=joe'],
    ['a device', 'device:192.0.2.1'],
    ['a mail address by its scheme', 'mailto:joe@example.com'],
    ['a script', 'javascript:alert(1)'],
    ['a file', 'file:///etc/passwd'],
    ['a password', 'https://joe:hunter2@example.com/'],
    ['a password without scheme', 'j_e:hunter2@example.com'],
    ['an account without user', 'acct:@example.com'],
    ['an account without host', 'acct:joe@'],
    ['an account without @', 'acct:joe'],
    ['an account with a path', 'acct:joe@example.com/x'],
    ['an account with a query', 'acct:joe@example.com?x'],
    ['spaces inside', 'joe @example.com'],
    ['a line break inside', 'joe@example.com\r\nHost: evil.example'],
    ['a tab inside', 'https://exam\tple.com'],
    ['a backslash', 'joe@example.com\\@evil.example'],
    ['half a surrogate', 'jo\ud800e@example.com'],
    ['a port that is none', 'example.com:99999'],
    ['https without slashes', 'https:example.com'],
  ])('%s', (_, typed) => {
    let refused: unknown
    try {
      readIdentifier(typed)
    } catch (error) {
      refused = error
    }
    expect(refused).toBeInstanceOf(CommandError)
    expect(refused).toMatchObject({ code: 'invalid_request', details: { field: 'resource' } })
    expect((refused as Error).message).not.toContain('hunter2')
  })
})
