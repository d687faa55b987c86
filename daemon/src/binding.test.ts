/** The cookie that ties a login to its browser: what it says, and that it comes back. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { forgetBinding, hashBinding, makeBinding, readBinding } from './binding.js'

const https = 'https://site.example/callback'
const http = 'http://127.0.0.1:8080/callback'
const state = 'awPYLmu5zvHoLJyHRz70Ju0o3MHy0P_z'

/** The pair that a browser sends back of a Set-Cookie line. */
function pair(set_cookie: string): string {
  return set_cookie.split(';')[0] as string
}

describe('makeBinding', () => {
  test('over https: for this host alone, not for scripts, not for other sites’ requests', () => {
    const { binding, set_cookie } = makeBinding(https, state, 600)
    expect(set_cookie).toBe(
      `__Host-relyd-login-${state.slice(-8)}=${binding}; Path=/; Max-Age=600; HttpOnly; Secure; SameSite=Lax`,
    )
  })

  test('over http: without what a browser would refuse there', () => {
    const { binding, set_cookie } = makeBinding(http, state, 60)
    expect(set_cookie).toBe(
      `relyd-login-${state.slice(-8)}=${binding}; Path=/; Max-Age=60; HttpOnly; SameSite=Lax`,
    )
  })

  test('knows https in any letters', () => {
    expect(makeBinding('HTTPS://site.example/', state, 60).set_cookie).toMatch(/^__Host-.*Secure/)
  })

  test('S40 is another one each time, of 128 bits in letters that need no quoting', () => {
    const one = makeBinding(https, state, 60).binding
    expect(one).toMatch(/^[\w-]{22}$/)
    expect(makeBinding(https, state, 60).binding).not.toBe(one)
  })
})

test('forgetBinding takes away the cookie that makeBinding set', () => {
  for (const redirect_uri of [https, http]) {
    const [name] = pair(makeBinding(redirect_uri, state, 600).set_cookie).split('=')
    const line = forgetBinding(redirect_uri, state)
    expect(pair(line)).toBe(`${name}=`)
    expect(line).toContain('; Path=/; Max-Age=0;')
    expect(line.includes('Secure')).toBe(redirect_uri === https)
  }
})

describe('readBinding', () => {
  const { binding, set_cookie } = makeBinding(https, state, 600)
  const cookie = pair(set_cookie)

  test.each([
    ['alone', cookie],
    ['between others', `a=1; ${cookie}; b=2`],
    ['without the spaces that RFC 6265 has', `a=1;${cookie};b=2`],
    ['with white space around', ` \t${cookie} `],
    ['behind one whose name it ends', `x${cookie}x; ${cookie}`],
    ['behind one without a value', `a; ${cookie}`],
    ['before a second of its name, set for a deeper path', `${cookie}; ${cookie.split('=')[0]}=x`],
  ])('finds it %s', (_, header) => {
    expect(readBinding({ cookie: header }, https, state)).toBe(binding)
  })

  test.each([
    ['no cookie at all', {}],
    ['an empty header', { cookie: '' }],
    ['other cookies only', { cookie: 'a=1; b=2' }],
    ['one whose name ends with its', { cookie: `x${cookie}` }],
    ['one whose name begins with its', { cookie: cookie.replace('=', 'x=') }],
    ['its name inside a value', { cookie: `a=${cookie}` }],
    // To a browser these names have no prefix: any host beside ours may set them.
    ['one behind a no-break space', { cookie: `\u00a0${cookie}` }],
    ['one behind a vertical tab', { cookie: `a=b;\v${cookie}` }],
  ])('finds none in %s', (_, brought) => {
    expect(readBinding(brought, https, state)).toBeUndefined()
  })

  test('finds each login’s own, so that two tabs do not disturb each other', () => {
    const other_state = `${state.slice(0, -8)}AAAAAAAA`
    const other = makeBinding(https, other_state, 600)
    const header = `${pair(other.set_cookie)}; ${cookie}`
    expect(readBinding({ cookie: header }, https, state)).toBe(binding)
    expect(readBinding({ cookie: header }, https, other_state)).toBe(other.binding)
  })

  test('over https takes no cookie that another host or plain http could have set', () => {
    const weak = pair(makeBinding(http, state, 600).set_cookie)
    expect(readBinding({ cookie: weak }, https, state)).toBeUndefined()
  })

  test('prefers the value to the cookie, even an empty one', () => {
    expect(readBinding({ binding: 'value', cookie }, https, state)).toBe('value')
    expect(readBinding({ binding: '', cookie }, https, state)).toBe('')
  })

  test('finds it among any other cookies', () => {
    const other = fc.stringMatching(/^[a-z_-]{1,9}=[\w+/%. "]{0,20}$/)
    fc.assert(
      fc.property(fc.array(other), fc.array(other), (before, after) => {
        const header = [...before, cookie, ...after].join('; ')
        expect(readBinding({ cookie: header }, https, state)).toBe(binding)
      }),
    )
  })
})

test('hashBinding keeps nothing to read a binding from, and tells two apart', () => {
  expect(hashBinding('a')).toHaveLength(32)
  expect(hashBinding('a')).toEqual(hashBinding('a'))
  expect(hashBinding('a')).not.toEqual(hashBinding('b'))
})
