/** What is left in the environment of what systemd said. */
import { expect, test } from 'vitest'
import { takePassedSockets } from './activation.js'

test('no child shall take the sockets for its own: the words that tell of them are gone', () => {
  const environment = {
    LISTEN_PID: '1',
    LISTEN_FDS: '1',
    LISTEN_FDNAMES: 'site',
    LISTEN_PIDFDID: '9',
    LISTEN: 'another',
  }
  expect(takePassedSockets([], environment)).toEqual(new Map())
  expect(environment).toEqual({ LISTEN: 'another' })
})
