/** Pages and scripts are told apart by what browsers say of their requests. */
import { expect, test } from 'vitest'
import { isFromElsewhere, kindOf } from './request_kind.js'

const request = (headers: Record<string, string>, method = 'GET') =>
  new Request('https://site.example/', { method, headers })
const visit = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }

test.each([
  ['a visit', 'page', visit, 'GET'],
  ['its HEAD', 'page', visit, 'HEAD'],
  ['a form', 'form', visit, 'POST'],
  ['a frame', 'form', { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' }, 'GET'],
  ['a visit through a service worker', 'page', { 'sec-fetch-mode': 'navigate' }, 'GET'],
  ['a prefetched visit', 'prefetch', { ...visit, 'sec-purpose': 'prefetch;prerender' }, 'GET'],
  ['a prefetched visit, of older browsers', 'prefetch', { purpose: 'prefetch' }, 'GET'],
  ['fetch', 'data', { 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' }, 'GET'],
  ['fetch that takes pages', 'data', { 'sec-fetch-mode': 'cors', accept: 'text/html' }, 'GET'],
  ['an image', 'data', { 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' }, 'GET'],
  ['an older browser', 'page', { accept: 'text/html,*/*;q=0.8' }, 'GET'],
  ['its form', 'form', { accept: 'text/html,*/*;q=0.8' }, 'POST'],
  ['its XHR', 'data', { accept: 'text/html', 'x-requested-with': 'XMLHttpRequest' }, 'GET'],
  ['a program', 'data', { accept: '*/*' }, 'GET'],
  ['a program that says nothing', 'data', {}, 'DELETE'],
])('%s is a request of the kind %s', (_what, kind, headers, method) => {
  expect(kindOf(request(headers, method))).toBe(kind)
})

test.each([
  ['the own page', false, { 'sec-fetch-site': 'same-origin' }],
  ['the End-User', false, { 'sec-fetch-site': 'none' }],
  ['another site', true, { 'sec-fetch-site': 'cross-site', origin: 'https://site.example' }],
  ['a subdomain', true, { 'sec-fetch-site': 'same-site' }],
  [
    'the own page that hides its origin',
    false,
    { 'sec-fetch-site': 'same-origin', origin: 'null' },
  ],
  ['the own page, in an older browser', false, { origin: 'https://site.example' }],
  ['another site, in an older browser', true, { origin: 'https://evil.example' }],
  ['who hides it, in an older browser', true, { origin: 'null' }],
  ['a program', false, {}],
])('a request of %s', (_what, elsewhere, headers) => {
  expect(isFromElsewhere(request(headers, 'POST'), 'https://site.example')).toBe(elsewhere)
})
