/** Which tests that ran a name in docs/conformance.md is about. */
import { expect, test } from 'vitest'
import { isMeant } from './shown.js'

test.each([
  ['refuses a bad one', 'claims refuses a bad one'],
  ['by %s: %s', 'an answer by form_post: code (1.5)'],
  ['of 100%% ($kind)', 'of 100% (all)'],
  ['with … and …', 'with 1 and 2'],
])('%j is %j', (text, full_name) => {
  expect(isMeant(text, full_name)).toBe(true)
})

test.each([
  ['refuses a bad one', 'refuses a bad two'],
  ['by %s: %s', 'by form_post'],
  ['%s, then %s', 'then this, that'],
  ['a.b', 'a-b'],
])('%j is not %j', (text, full_name) => {
  expect(isMeant(text, full_name)).toBe(false)
})
