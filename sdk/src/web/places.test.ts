/** A website's addresses come from its cfg. */
import { expect, test } from 'vitest'
import { readPlaces } from './places.js'

test('login and logout are beside the callback', () => {
  expect(readPlaces('https://site.example/app/callback', {})).toMatchObject({
    origin: 'https://site.example',
    callback_path: '/app/callback',
    login_path: '/app/login',
    logout_path: '/app/logout',
    after_login: 'https://site.example/',
    after_logout: 'https://site.example/',
  })
})

test('a callback with a query of its own is told from the page that it is on', () => {
  const { isCallback } = readPlaces('https://site.example/?page=callback', {})
  expect(isCallback(new URL('http://inside/?page=callback&code=1&state=2'))).toBe(true)
  expect(isCallback(new URL('http://inside/?page=home&state=2'))).toBe(false)
  expect(isCallback(new URL('http://inside/'))).toBe(false)
})

test.each([
  ['login_path', { login_path: 'login' }],
  ['login_path', { login_path: '//login' }],
  ['login_path', { login_path: '/a/../login' }],
  ['login_path', { login_path: '/log in' }],
  ['login_path', { login_path: '/login?a' }],
  ['login_path', { login_path: 'https://site.example/login' }],
  ['logout_path', { logout_path: '' }],
  ['after_login', { after_login: 'javascript:alert(1)' }],
  ['after_logout', { after_logout: 'https://' }],
  ['differ', { login_path: '/callback' }],
  ['differ', { login_path: '/in', logout_path: '/in' }],
])('%s: %j will not do', (name, options) => {
  expect(() => readPlaces('https://site.example/callback', options)).toThrow(name)
})

test('an app of a phone has no website', () => {
  expect(() => readPlaces('com.example.app:/callback', {})).toThrow(/http\(s\)/)
})

test('a callback whose address only relyd knows has no website either', () => {
  expect(() => readPlaces('https://site.example/{op}/callback', {})).toThrow(/a cfg of its own/)
})
