/** No login ends anywhere but on its own site, whatever somebody wrote into a link. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readPlaces } from './places.js'
import { returnAddress } from './return_address.js'

const places = readPlaces('https://site.example/app/callback', {})
const check = (value: string | null | undefined) => returnAddress(value, places)

test('a page of the site is a return address, and comes back absolute', () => {
  expect(check('/')).toBe('https://site.example/')
  expect(check('/profile?tab=1&next=https://a.example#top')).toBe(
    'https://site.example/profile?tab=1&next=https://a.example#top',
  )
  expect(check('https://site.example/a?b')).toBe('https://site.example/a?b')
  expect(check('HTTPS://SITE.example:443/a')).toBe('https://site.example/a')
  expect(check('/käse/a%2Fb?q=%0A')).toBe('https://site.example/k%C3%A4se/a%2Fb?q=%0A')
})

// Each stands for a mended hole of somebody's (open redirects of oauth2-proxy, mod_auth_openidc and others).
test.each([
  ['another host', 'https://evil.example/'],
  ['another host, its scheme left out', '//evil.example/'],
  ['three slashes', '///evil.example/'],
  ['a scheme without slashes', 'https:evil.example'],
  ['a scheme with one slash', 'https:/evil.example'],
  ['a host that begins alike', 'https://site.example.evil.example/'],
  ['a host that ends alike', 'https://evil-site.example/'],
  ['a subdomain', 'https://sub.site.example/'],
  ['another scheme', 'http://site.example/'],
  ['another port', 'https://site.example:8443/'],
  ['a user that looks like a host', 'https://site.example@evil.example/'],
  ['a user on the own host', 'https://evil.example@site.example/'],
  ['a backslash for a slash', '/\\evil.example'],
  ['two backslashes', '\\\\evil.example'],
  ['a backslash behind the user', 'https://site.example\\@evil.example/'],
  ['a tab between the slashes', '/\t/evil.example'],
  ['a line feed between the slashes', '/\n/evil.example'],
  ['S17 a second header', '/a\r\nset-cookie: b=c'],
  ['a NUL', '/a\0b'],
  ['a space in front', ' https://evil.example/'],
  ['a wide space in front', '\u3000//evil.example'],
  ['an invisible character', '/\u200b/evil.example'],
  ['a right-to-left mark', '/\u202egpj.exe'],
  ['an encoded tab', '/%09/evil.example'],
  ['an encoded line', '/a%0d%0aset-cookie:b=c'],
  ['an encoded backslash', '/%5cevil.example'],
  ['an encoded slash in front', '/%2Fevil.example'],
  ['a path that becomes two slashes', '/.//evil.example'],
  ['a path that climbs to two slashes', '/a/..//evil.example'],
  ['an encoded dot that becomes two slashes', '/%2e//evil.example'],
  ['javascript', 'javascript:alert(1)'],
  ['javascript behind a tab', 'java\tscript:alert(1)'],
  ['data', 'data:text/html,hello'],
  ['a name that may be a host', 'evil.example'],
  ['a query alone', '?a=b'],
  ['nothing', ''],
  ['too much', `/${'a'.repeat(2048)}`],
  ['too much once it is encoded', `/${'ä'.repeat(1000)}`],
  ['the login', '/app/login'],
  ['the login with a query', '/app/login?return_to=/'],
  ['the login by a detour', '/x/../app/login'],
  ['the callback', '/app/callback?code=1&state=2'],
  ['the logout', 'https://site.example/app/logout'],
  ['no host', 'https://'],
  ['a host that is none', 'https://[::'],
])('%s is no return address', (_what, value) => {
  expect(check(value)).toBeUndefined()
})

test('no address is no return address', () => {
  expect([check(null), check(undefined)]).toEqual([undefined, undefined])
})

const pieces = fc.constantFrom(
  ...['/', '//', '\\', '.', '..', '@', ':', '?', '#', '%2f', '%5c', '%09', '%2e', '\t', '\n', '\r'],
  ...['https:', 'http:', 'javascript:', 'site.example', 'evil.example', ':443', ':80', 'a', ' '],
  ...['\u3002', '\uff0f', '\u2044', '\u00ad', '\u200d', 'ß', '\ud800', '[', ']', '%', '|', '^'],
)
const addresses = fc.oneof(
  fc.array(pieces, { maxLength: 8 }).map((some) => some.join('')),
  fc.string({ unit: 'binary', maxLength: 40 }).map((text) => `/${text}`),
  fc.webUrl({ withFragments: true, withQueryParameters: true }),
)

test('S11 whatever is written, the browser stays on the site', () => {
  fc.assert(
    fc.property(addresses, (value) => {
      const address = check(value)
      if (address === undefined) return
      // As the browser reads a Location, on whichever page it is.
      const url = new URL(address, 'https://elsewhere.example/a/b')
      expect(url.origin).toBe('https://site.example')
      expect(url.username + url.password).toBe('')
      expect(url.href).toBe(address)
      expect(address).toMatch(/^https:\/\/site\.example\/(?!\/)[\x21-\x5b\x5d-\x7e]*$/)
      expect(places.own_paths.has(url.pathname)).toBe(false)
      // Were somebody to use its path alone, it would still be here.
      const path = address.slice(places.origin.length)
      expect(new URL(path, places.origin).href).toBe(address)
      expect(new URL(decodeURIComponent(safe(url.pathname)), places.origin).origin).toBe(
        places.origin,
      )
      // What was stored is judged again when it is used.
      expect(check(address)).toBe(address)
    }),
    { numRuns: 20_000 },
  )
})

/** What cannot be decoded is left as it is. */
function safe(path: string): string {
  return path.replace(/%(?![0-7][0-9a-f])/gi, '%25')
}
