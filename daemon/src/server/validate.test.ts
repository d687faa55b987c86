/** Parameters against a declaration: each fault is told with its field and the cure. */
import { describe, expect, test } from 'vitest'
import {
  boolean,
  integer,
  listOf,
  object,
  oneOf,
  required,
  string,
  stringMap,
  strings,
} from '../command.js'
import { commands } from '../commands/index.js'
import { CommandError } from '../errors.js'
import { compileParams, withoutNulls } from './validate.js'

const doc = { doc: 'A field.' }
const validate = compileParams({
  name: required(string({ ...doc, maxLength: 5 })),
  scopes: strings(doc),
  age: integer(doc),
  bounded: integer({ ...doc, minimum: 10 }),
  flag: boolean(doc),
  kind: oneOf(doc, ['one', 'other']),
  kinds: listOf(doc, ['one', 'other']),
  many: listOf(
    doc,
    Array.from({ length: 20 }, (_, at) => `word_${String(at).padStart(2, '0')}`),
  ),
  claims: object(doc),
  extra: stringMap(doc),
})

function refusal(params: Record<string, unknown>): CommandError {
  try {
    validate(params)
  } catch (error) {
    if (error instanceof CommandError) return error
    throw error
  }
  throw new Error('not refused')
}

describe('accepts', () => {
  test.each<[what: string, params: Record<string, unknown>]>([
    ['what must be there alone', { name: 'a' }],
    [
      'everything',
      {
        name: 'ab',
        scopes: ['a', 'b'],
        age: 0,
        bounded: 10,
        flag: false,
        kind: 'other',
        claims: { a: { b: [null] } },
        extra: { a: '', 'b/c': 'd' },
      },
    ],
    ['an empty list', { name: 'a', scopes: [] }],
    ['an empty map', { name: 'a', extra: {} }],
  ])('%s', (_, params) => {
    expect(() => validate(params)).not.toThrow()
  })
})

describe('refuses', () => {
  test.each<[what: string, params: Record<string, unknown>, field: string, message: string]>([
    ['a field that is missing', {}, 'name', 'name is missing'],
    ['one that is missing beside others', { age: 1 }, 'name', 'name is missing'],
    [
      'an unknown one, with the nearest',
      { name: 'a', scope: ['a'] },
      'scope',
      'scope is not a parameter; did you mean scopes?',
    ],
    [
      'an unknown one that is near to none',
      { name: 'a', quux: 1 },
      'quux',
      'quux is not a parameter of this command',
    ],
    [
      'an unknown one before a missing one, as that is how a name is mistyped',
      { nmae: 'a' },
      'nmae',
      'nmae is not a parameter; did you mean name?',
    ],
    [
      'one of Object.prototype',
      { name: 'a', constructor: 1 },
      'constructor',
      'constructor is not a parameter of this command',
    ],
    ['a number for a string', { name: 7 }, 'name', 'name must be string'],
    ['an object for a string', { name: {} }, 'name', 'name must be string'],
    ['an empty string', { name: '' }, 'name', 'name is empty'],
    ['a long string', { name: 'abcdef' }, 'name', 'name must not have more than 5 characters'],
    ['a string for a list', { name: 'a', scopes: 'openid' }, 'scopes', 'scopes must be array'],
    ['a number in a list', { name: 'a', scopes: ['a', 7] }, 'scopes.1', 'scopes.1 must be string'],
    ['a string for a number', { name: 'a', age: '7' }, 'age', 'age must be integer'],
    ['a fraction', { name: 'a', age: 1.5 }, 'age', 'age must be integer'],
    ['a number below 0', { name: 'a', age: -1 }, 'age', 'age must be >= 0'],
    ['a number that is not safe', { name: 'a', age: 2 ** 53 }, 'age', 'age must be <='],
    ['NaN', { name: 'a', age: Number.NaN }, 'age', 'age must be integer'],
    ['a number below its minimum', { name: 'a', bounded: 9 }, 'bounded', 'bounded must be >= 10'],
    ['a string for a boolean', { name: 'a', flag: 'true' }, 'flag', 'flag must be boolean'],
    ['another word', { name: 'a', kind: 'One' }, 'kind', 'kind must be one of one, other'],
    ['no word', { name: 'a', kind: 1 }, 'kind', 'kind must be one of one, other'],
    [
      'another word in a list',
      { name: 'a', kinds: ['two'] },
      'kinds.0',
      'kinds.0 must be one of one, other',
    ],
    ['an empty string in a list', { name: 'a', scopes: [''] }, 'scopes.0', 'scopes.0 is empty'],
    [
      'a word that is almost one of many',
      { name: 'a', many: ['word_01', 'word_1O'] },
      'many.1',
      'many.1 is none of the 20 names that it may be; did you mean word_10?',
    ],
    [
      'a word that is none of many',
      { name: 'a', many: ['elsewhere'] },
      'many.0',
      'many.0 is none of the 20 names that it may be; as word_00, word_01, word_02',
    ],
    ['a word for a list', { name: 'a', kinds: 'one' }, 'kinds', 'kinds must be array'],
    ['a list for an object', { name: 'a', claims: [] }, 'claims', 'claims must be object'],
    ['a number in a map', { name: 'a', extra: { b: 1 } }, 'extra.b', 'extra.b must be string'],
    ['null inside a list', { name: 'a', scopes: [null] }, 'scopes.0', 'scopes.0 must be string'],
  ])('%s', (_, params, field, message) => {
    const error = refusal(params)
    expect(error).toMatchObject({ code: 'invalid_request', details: { field }, retryable: false })
    expect(error.message.startsWith(message)).toBe(true)
  })

  test('too long a list', () => {
    expect(refusal({ name: 'a', scopes: Array(101).fill('a') }).details).toEqual({
      field: 'scopes',
    })
  })

  test('without repeating a value, which may be a secret', () => {
    for (const params of [{ name: 'hunter2' }, { name: 'a', kind: 'hunter2' }]) {
      expect(refusal(params).message).not.toContain('hunter2')
    }
  })

  test('a value in a map whose name has a line feed, as any other', () => {
    for (const value of [7, {}]) {
      expect(refusal({ name: 'a', extra: { 'b\nc': value } }).details).toEqual({
        field: 'extra.b?c',
      })
    }
  })

  test('an unknown name of any length in a bounded message', () => {
    const { message, details } = refusal({ name: 'a', ['x'.repeat(10_000)]: 1 })
    expect(message.length).toBeLessThan(200)
    expect(details).toEqual({ field: '…' })
  })

  test('a name in a map of any length in a bounded message', () => {
    const { message } = refusal({ name: 'a', extra: { ['x'.repeat(10_000)]: 1 } })
    expect(message.length).toBeLessThan(200)
  })
})

describe('null', () => {
  test('counts as absent', () => {
    const params = withoutNulls({ name: 'a', age: null, kind: null })
    expect(params).toEqual({ name: 'a' })
    expect(() => validate(params)).not.toThrow()
  })

  test('does not stand for a field that must be there', () => {
    expect(refusal(withoutNulls({ name: null }))).toMatchObject({ message: 'name is missing' })
  })

  test('inside a value stays, as it is that value’s', () => {
    expect(withoutNulls({ claims: { a: null }, age: null })).toEqual({ claims: { a: null } })
  })

  test('leaves parameters without it as they are, and the caller’s object unchanged', () => {
    const params = { name: 'a' }
    expect(withoutNulls(params)).toBe(params)
    const given = { name: 'a', age: null }
    withoutNulls(given)
    expect(given).toEqual({ name: 'a', age: null })
  })
})

test.each(Object.entries(commands))(
  '%s refuses a parameter that nobody declared',
  (_, { params }) => {
    expect(() => compileParams(params)({ 'no such parameter': 1 })).toThrow(
      expect.objectContaining({
        code: 'invalid_request',
        details: { field: 'no such parameter' },
      }),
    )
  },
)

test('a name cut short in an error is not cut through a character', () => {
  const { message, details } = refusal({ name: 'a', [`${'x'.repeat(63)}🗝`]: 1 })
  expect([message.isWellFormed(), details]).toEqual([true, { field: `${'x'.repeat(63)}?…` }])
})

test('a member with a line break in its name is checked as every other', () => {
  expect(refusal({ name: 'a', extra: { 'b\nc': { toString: 1 } } }).message).toContain(
    'must be string',
  )
})

test.each([
  ['a list', { name: 'a', scopes: Array(200_000).fill('b') }],
  [
    'a map',
    { name: 'a', extra: Object.fromEntries(Array.from({ length: 200 }, (_, i) => [i, 'b'])) },
  ],
])('%s with too many members is refused with their number', (_, params) => {
  expect(refusal(params).message).toContain('100')
})

test.each([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN])(
  '%d within an object is refused',
  (number) => {
    expect(refusal({ name: 'a', claims: { b: [number] } })).toMatchObject({
      code: 'invalid_request',
      details: { field: 'claims' },
    })
  },
)

test.each<[where: string, params: Record<string, unknown>, field: string]>([
  ['a text', { name: '\ud800' }, 'name'],
  ['a list', { name: 'a', scopes: ['b', '\udc00c'] }, 'scopes'],
  ['a member within', { name: 'a', claims: { a: [{ b: '\ud800' }] } }, 'claims'],
  ['a name within', { name: 'a', extra: { '\ud800': '' } }, 'extra'],
])('half a surrogate pair in %s is refused, a whole one is not', (_, params, field) => {
  expect(refusal(params)).toMatchObject({ code: 'invalid_request', details: { field } })
  expect(() => validate({ name: '🗝' })).not.toThrow()
})
