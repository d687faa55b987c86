/** Of an OP's documents only what is plain and short is kept. */
import { expect, test } from 'vitest'
import { plainMembers } from './plain_members.js'

test.each<[what: string, value: unknown, kept: boolean]>([
  ['a text', 'https://op.example', true],
  ['a long text', 'x'.repeat(5000), false],
  ['a number', 1, true],
  ['a boolean', false, true],
  ['a list of words', ['RS256', 'ES256'], true],
  ['an empty list', [], true],
  ['a long list', Array(101).fill('a'), false],
  ['a list of a long word', ['x'.repeat(600)], false],
  ['a list of objects', [{}, {}], false],
  ['an object', { a: 1 }, false],
  ['nothing', null, false],
])('%s', (_, value, kept) => {
  expect(plainMembers({ issuer: 'i', value })).toEqual(
    kept ? { issuer: 'i', value } : { issuer: 'i' },
  )
})

test('no more than some, and not more than a bound in all', () => {
  const many = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`m${index}`, 1]))
  expect(Object.keys(plainMembers(many)).length).toBeLessThan(300)
  const long = Object.fromEntries(
    Array.from({ length: 100 }, (_, index) => [`m${index}`, 'x'.repeat(4000)]),
  )
  expect(() => plainMembers(long)).toThrow(expect.objectContaining({ code: 'invalid_op_response' }))
})
