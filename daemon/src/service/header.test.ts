/** What an operator may ask for in `--socket`: nothing of it may become another line of a unit. */
import { expect, test } from 'vitest'
import { socketOwner } from './header.js'

test('a listener, its user and perhaps a group', () => {
  expect(socketOwner('shop:www-shop')).toEqual({ listener: 'shop', user: 'www-shop' })
  const owner = { listener: 'my-blog', user: '_b', group: 'web_1' }
  expect(socketOwner('my-blog:_b:web_1')).toEqual(owner)
})

test.each([
  'shop',
  'shop:',
  'Shop:www',
  'shop:www\nExecStartPre=/bin/sh',
  'shop:www:group:more',
  'shop:%u',
  'site:www',
  'relyd:www',
  '../shop:www',
])('refuses %j', (text) => {
  expect(() => socketOwner(text)).toThrow(/^--socket/)
})
