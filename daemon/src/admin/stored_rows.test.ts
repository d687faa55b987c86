/** Rows of before OPs had no say in them. */
import { expect, test } from 'vitest'
import { checkJwtAlgs, encryptionOf, userinfoAlg } from '../op/jwt_registered.js'
import { tellingOf } from '../op/key_change.js'
import type { ListedSite } from '../store/store.js'
import { describeOneSite, describeSite } from './site_result.js'

const site = {
  oxd_id: 'a',
  realm: 'default',
  op_host: 'https://op.example',
  issuer: 'https://op.example',
  redirect_uri: 'https://site.example/callback',
  registered_by: 'relyd',
  client: { client_id: 'b' },
  settings: { scope: ['openid'], login_binding: 'required', tokens: 'site' },
  created_at: 1,
  sessions: 0,
  secrets: {},
} satisfies ListedSite & { secrets: object }

test('keys and a team that an OP answered are none of the site', () => {
  const client = { client_id: 'b', jwks: ['a'], apple_team_id: 'TEAM' }
  const shown = describeOneSite({ ...site, client } as unknown as ListedSite)
  expect(shown).toMatchObject({ client_id: 'b', auth_method: 'client_secret_basic' })
  expect(shown).not.toHaveProperty('jwks')
})

test('a row that cannot be shown says so', () => {
  for (const client of [{}, null, { client_id: 5 }]) {
    const shown = describeSite({ ...site, client } as unknown as ListedSite)
    expect(shown).toMatchObject({ oxd_id: 'a', client_id: '', fault: expect.any(String) })
  }
})

test('none and empty texts are no algorithms, and no address', () => {
  const client = {
    client_id: 'b',
    userinfo_signed_response_alg: 'none',
    userinfo_encrypted_response_alg: '',
    userinfo_encrypted_response_enc: '',
    id_token_signed_response_alg: '',
    jwks_uri: '',
  }
  const stored = { ...site, client }
  checkJwtAlgs(stored)
  expect(userinfoAlg(stored)).toBeUndefined()
  expect(encryptionOf(stored, 'userinfo')).toBeUndefined()
  expect(tellingOf(stored)).toBeUndefined()
})
