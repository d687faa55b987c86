/** A cfg as the operator's command writes it. */
import { expect, test } from 'vitest'
import { checkProvisionable, provisionedCfg } from './provision.js'

const site = {
  address: { socket: '/run/relyd/100%.sock' },
  oxd_id: 'id-1',
  op_host: 'https://op.example',
  authorization_redirect_uri: 'https://site.example/callback?a=%20b',
}

test('a new one says where relyd is, and who the site is', () => {
  expect(provisionedCfg('# New.\n', 'site.cfg', site)).toBe(`# New.

[oxd]
socket = /run/relyd/100%%.sock
id = id-1

[client]
op_host = https://op.example
authorization_redirect_uri = https://site.example/callback?a=%%20b
`)
})

test('the same again changes nothing', () => {
  const once = provisionedCfg('', 'site.cfg', site)
  expect(provisionedCfg(once, 'site.cfg', site)).toBe(once)
})

test('an address by TCP takes the place of a socket, and what was asked for before is taken out', () => {
  const before =
    '[oxd]\nsocket = /old\nidempotency_key = old\nid = old\n[client]\npost_logout_redirect_uri = https://old.example/\nscope = a\n'
  const tcp = { ...site, address: { host: '::1', port: 8099 } }
  expect(provisionedCfg(before, 'site.cfg', tcp)).toBe(
    '[oxd]\nsocket =\nidempotency_key =\nid = id-1\nhost = ::1\nport = 8099\n[client]\npost_logout_redirect_uri =\nscope = a\nop_host = https://op.example\nauthorization_redirect_uri = https://site.example/callback?a=%%20b\n',
  )
})

test.each([
  ['[client]\nclient_secret = marker\n', ':2'],
  ['[client]\nclient_secret_file = marker\n', ':2'],
  ['[DEFAULT]\n\nclient_secret: marker\n[client]\n', ':3'],
])('one with a secret is refused with its line: %j', (text, line) => {
  const check = () => checkProvisionable(text, 'site.cfg')
  expect(check).toThrow(`site.cfg${line}`)
  expect(check).not.toThrow('marker')
  expect(() => checkProvisionable('[client]\nclient_secret =\n', 'site.cfg')).not.toThrow()
})
