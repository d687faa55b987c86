/** What a refusal of a login is to the people at the browser. */
import { expect, test } from 'vitest'
import { CommandError } from '../errors.js'
import { troubleOf } from './trouble.js'

const trouble = (error: string, more: object = {}) =>
  troubleOf(
    new CommandError('get_tokens_by_callback', {
      error,
      error_description: 'no',
      retryable: false,
      ...more,
    }),
    '/login',
  )

test.each([
  ['op_unreachable', 'op_unavailable', 502],
  ['no_connect_discovery_response', 'op_unavailable', 502],
  ['no_client_assertion', 'relyd_unavailable', 503],
  ['quota_exceeded', 'relyd_unavailable', 503],
])('%s at a callback, where another login may go well later, is %s', (error, code, status) => {
  expect(trouble(error, { details: { login_retry: 'later' } })).toMatchObject({
    code,
    status,
    login_path: '/login',
    headers: { 'retry-after': '5' },
  })
})

test('what no other login mends is not told to be for later', () => {
  expect(trouble('quota_exceeded')).toMatchObject({ code: 'login_failed', status: 500 })
  expect(trouble('invalid_id_token')).toMatchObject({ code: 'login_failed', status: 502 })
})
