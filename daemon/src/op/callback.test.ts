/** Every form in which a site may pass on what the browser brought back. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CommandError } from '../errors.js'
import { type Callback, readCallback } from './callback.js'

function refusal(callback: string): CommandError {
  try {
    readCallback(callback)
  } catch (error) {
    if (error instanceof CommandError) return error
    throw error
  }
  throw new Error('not refused')
}

const read = (callback: string) => readCallback(callback).response

const query = 'code=c%20d&state=s&iss=https%3A%2F%2Fop.example%2F'
const parameters = { code: 'c d', state: 's', iss: 'https://op.example/' }

describe('reads', () => {
  test.each([
    ['the URL whole', `https://site.example/callback?${query}`],
    ['an http URL', `http://127.0.0.1:8080/callback?${query}`],
    ['a URL in other letters', `HTTPS://SITE.EXAMPLE/?${query}`],
    ['a URL with a fragment', `https://site.example/callback?${query}#_=_`],
    ['a URL with a fragment that has a ?', `https://site.example/callback?${query}#a?code=x`],
    ['from the path on', `/callback?${query}`],
    ['from the path on, with a fragment', `/callback?${query}#x`],
    ['from the ? on', `?${query}`],
    ['the query alone, or a form body', query],
    ['a form body with + for a space', query.replace('%20', '+')],
  ])('%s', (_, callback) => {
    expect(Object.fromEntries(read(callback))).toEqual(parameters)
  })

  test.each<[came: Callback['came'], what: string, callback: string]>([
    ['query', 'a URL', `https://site.example/callback?${query}`],
    ['query', 'a path', `/callback?${query}#_=_`],
    ['query', 'what begins with ?', `?${query}`],
    ['fragment', 'a URL', `https://site.example/callback#${query}`],
    ['fragment', 'a URL whose redirect URI has a query', `https://site.example/?a=b#${query}`],
    ['fragment', 'a path', `/callback#${query}`],
    ['fragment', 'what begins with #', `#${query}`],
    ['text', 'a form body, or what stood behind the #', query],
  ])('C6 P13 as %s: %s', (came, _, callback) => {
    expect(readCallback(callback).came).toBe(came)
    expect(Object.fromEntries(read(callback))).toEqual(parameters)
  })

  test('parameters that it does not know, once or more', () => {
    expect(read('state=s&session_state=a.b&x=1&x=2').getAll('x')).toEqual(['1', '2'])
  })

  test.each([
    ['of a query alone', 'code=a?b/c&state=s'],
    ['of a URL', 'https://site.example/?code=a?b/c&state=s'],
  ])('a ? inside a value %s', (_, callback) => {
    expect(read(callback).get('code')).toBe('a?b/c')
  })

  test('any values, in every form', () => {
    const text = fc.string({ unit: 'binary', minLength: 1 })
    fc.assert(
      fc.property(text, text, (code, state) => {
        const form = `${new URLSearchParams({ code, state })}`
        const forms = [form, `/cb?${form}`, `https://site.example/cb?${form}#x`, `/cb#${form}`]
        for (const callback of forms) {
          expect(Object.fromEntries(read(callback))).toEqual({ code, state })
        }
      }),
    )
  })
})

describe('refuses', () => {
  test.each([
    ...['state', 'code', 'iss', 'error', 'error_description', 'error_uri', 'response'],
    ...['id_token', 'access_token', 'token_type', 'expires_in', 'scope'],
  ])('%s twice', (name) => {
    for (const mark of ['?', '#']) {
      const { code, message, details } = refusal(`/cb${mark}state=s&${name}=a&${name}=a`)
      expect(code).toBe('invalid_request')
      expect(message).toContain(`${name} more than once`)
      expect(details).toEqual({ field: 'callback' })
    }
  })

  test('a state in the query and one in the fragment', () => {
    expect(refusal(`/cb?${query}#${query}`).message).toContain('in its query and in its fragment')
  })

  test('a parameter twice under two spellings', () => {
    expect(refusal('state=s&s%74ate=t').message).toContain('state more than once')
  })

  test.each([
    ['nothing', ''],
    ['no state', '/cb?code=c'],
    ['an empty state', '/cb?code=c&state='],
    ['a URL without a query', 'https://site.example/callback'],
    ['a path without a query', '/callback'],
    ['a fragment without a state', `https://site.example/callback#code=c`],
  ])('%s', (_, callback) => {
    expect(refusal(callback)).toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining('no state'),
    })
  })

  test('without repeating what came', () => {
    expect(refusal('/cb?code=a-secret-code').message).not.toContain('a-secret-code')
  })
})
