/** What the last filter is told of parameters by their declaration alone, before anybody has looked into them. */
import { generateKeyPairSync } from 'node:crypto'
import { expect, test } from 'vitest'
import { add_site } from '../admin/commands/add_site.js'
import { import_sites } from '../admin/commands/import_sites.js'
import { HIDDEN, live } from '../live_secrets.js'
import { noteSecretsOf } from './secrets.js'

function newKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}

function lineOf(pem: string): string {
  return pem.split('\n')[1] as string
}

test('of sites that are imported, every secret and key is known, and nothing else', () => {
  const key = newKey()
  const issuer = 'https://op-of-secrets-test.example'
  const secretOf = (n: number) => `secret ${String(n).padStart(8, '0')}`
  const sites = Array.from({ length: 900 }, (_, n) => ({ issuer, client_secret: secretOf(n) }))
  const note = noteSecretsOf(import_sites.params)
  note({
    sites: [
      ...sites,
      { issuer, private_key: key },
      { issuer, client_secrt: 'misspelt, but secret' },
      { issuer, client_secret: { of: [{ another: 'kind of secret' }] } },
      'no site but a secret',
    ],
  })
  for (const secret of [
    secretOf(0),
    secretOf(899),
    key,
    lineOf(key),
    'misspelt, but secret',
    'kind of secret',
    'no site but a secret',
  ]) {
    expect(live.hide(`it is ${secret}.`)).toBe(`it is ${HIDDEN}.`)
  }
  expect(live.hide(issuer)).toBe(issuer)
  // What has no end is not followed for ever.
  let deep: unknown = 'at the bottom'
  for (let depth = 0; depth < 100_000; depth += 1) deep = [deep]
  note({ sites: deep })
})

test('of a private key each line is known before it is read', () => {
  const key = newKey()
  noteSecretsOf(add_site.params)({ private_key: key })
  expect(live.hide(`bad: ${lineOf(key)}`)).toBe(`bad: ${HIDDEN}`)
})
