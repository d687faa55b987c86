/** Cookies that browsers bring, and those that nobody's browser made. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { clearOldLogins, loginCookies, SessionCookie } from './cookies.js'

const https = 'https://site.example'
const id = 'abcdefghijklmnopqrstuvwxyz_-1234'
const secure = new SessionCookie(https)
const local = new SessionCookie('http://localhost:3000')

test('over https no other host can set the cookie, and no script read it', () => {
  expect(secure.set(id)).toBe(`__Host-relyd-session=${id}; Path=/; HttpOnly; Secure; SameSite=Lax`)
  expect(secure.clear()).toBe(
    '__Host-relyd-session=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax',
  )
})

test('over http its name holds the port, as browsers keep the cookies of all ports together', () => {
  expect(local.set(id)).toBe(`relyd-session-3000=${id}; Path=/; HttpOnly; SameSite=Lax`)
  expect(new SessionCookie('http://site.example').name).toBe('relyd-session-80')
})

test.each([
  ['https://a.example', 'session'],
  ['http://localhost', '__Host-session'],
  ['https://a.example', '__Host-a;b'],
  ['https://a.example', '__Host-a\r\nb'],
  ['https://a.example', ''],
  ['http://localhost', 'relyd-login-x'],
  ['https://a.example', '__Host-relyd-login-x'],
])('at %s a cookie cannot be called %j', (origin, name) => {
  expect(() => new SessionCookie(origin, name)).toThrow(TypeError)
})

test('the id is found among other cookies', () => {
  expect(secure.read(`a=b; __Host-relyd-session=${id}; c`)).toBe(id)
  expect(secure.read(`a=b;__Host-relyd-session=${id}`)).toBe(id)
  expect(new SessionCookie('https://a.example', '__Host-x').read(`__Host-x=${id}`)).toBe(id)
})

test.each([
  [null],
  [''],
  ['__Host-relyd-session'],
  ['__Host-relyd-session='],
  ['__Host-relyd-session=short'],
  [`__Host-relyd-session="${id}"`],
  [`__Host-relyd-session=${id}.`],
  [`__Host-relyd-session=${id}%20`],
  [`__Host-relyd-session=${'a'.repeat(300)}`],
  [`x__Host-relyd-session=${id}`],
  [`__host-relyd-session=${id}`],
  [`a=__Host-relyd-session=${id}`],
  // Which one is right, nobody can tell: the other may be planted.
  [`__Host-relyd-session=${id}; __Host-relyd-session=${id.toUpperCase()}`],
  [`relyd-session-3000=${id}`],
])('%j holds no session', (header) => {
  expect(secure.read(header)).toBeUndefined()
})

// Any host beside ours, and plain http, may set these: to a browser the name has no prefix.
test.each(['\u00a0', '\ufeff', '\v', '\f', '\u2003'])(
  '%j before a name is a part of it',
  (space) => {
    expect(secure.read(`${space}${secure.name}=${id}`)).toBeUndefined()
    expect(secure.read(`${space}${secure.name}=other; ${secure.name}=${id}`)).toBe(id)
    expect(loginCookies(`${space}__Host-relyd-login-abc=1`, https)).toBe('')
  },
)

test('a cookie that is none is there to be taken away all the same', () => {
  expect(secure.in('__Host-relyd-session=x')).toBe(true)
  expect(secure.in('__Host-relyd-session')).toBe(false)
  expect(secure.in(`relyd-session-3000=${id}`)).toBe(false)
})

test('relyd gets the cookies of logins, and no others', () => {
  expect(
    loginCookies(
      `theme=dark; __Host-relyd-login-abc=1; ${secure.name}=${id}; relyd-login-def=2`,
      https,
    ),
  ).toBe('__Host-relyd-login-abc=1')
  expect(loginCookies('a=b; relyd-login-def=2', 'http://localhost:3000')).toBe('relyd-login-def=2')
  expect(loginCookies(null, https)).toBe('')
})

test('ten logins at once have their cookies; of more, the oldest go', () => {
  const cookies = (count: number) =>
    ['a=b', ...Array.from({ length: count }, (_, at) => `__Host-relyd-login-${at}=x`)].join('; ')
  expect(clearOldLogins(cookies(9), https)).toEqual([])
  expect(clearOldLogins(cookies(11), https)).toEqual([
    '__Host-relyd-login-0=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax',
    '__Host-relyd-login-1=; Max-Age=0; Path=/; HttpOnly; Secure; SameSite=Lax',
  ])
  // The answer's own header must not grow without end.
  expect(clearOldLogins(cookies(300), https)).toHaveLength(10)
})

test('a name that no login has is not said back', () => {
  const crafted = Array.from({ length: 30 }, (_, at) => `relyd-login-\x01${at}"\x80=x`).join('; ')
  expect(clearOldLogins(crafted, https)).toEqual([])
})

test('no Cookie header does harm', () => {
  const cookie = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('=', ';', ';;=;', `${secure.name}=`, `relyd-login-=`, `${secure.name}=${id}`),
  )
  fc.assert(
    fc.property(fc.array(cookie), (some) => {
      const header = some.join(';')
      const found = secure.read(header)
      if (found !== undefined) expect(found).toMatch(/^[\w-]+$/)
      for (const line of clearOldLogins(header, https)) expect(line).toMatch(/^[\x20-\x7e]+$/)
      loginCookies(header, https)
      secure.in(header)
    }),
  )
})

test('S19 a million cookies take no more time than they are long', () => {
  const began = performance.now()
  const header = 'a;'.repeat(1_000_000)
  expect(secure.read(header)).toBeUndefined()
  expect(clearOldLogins(header, https)).toEqual([])
  expect(performance.now() - began).toBeLessThan(5000)
})
