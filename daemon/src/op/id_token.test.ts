/** What of an ID Token's tenant holds without an OP. */
import { expect, test } from 'vitest'
import { checkIssuer } from './id_token.js'
import { Provider } from './provider.js'

function providerAt(issuer: string): Provider {
  return new Provider('https://op.example', { issuer } as Provider['metadata'], null, 0)
}

const claims = { iss: 'https://op.example/a', tid: 'a', sub: 's', aud: 'c', iat: 0, exp: 0 }

test('an issuer that stands for many lets nobody in where no tenants are listed', () => {
  const many = providerAt('https://op.example/{tenantid}')
  expect(() => checkIssuer(many, {}, claims, undefined)).toThrow(
    expect.objectContaining({ code: 'invalid_id_token_bad_issuer' }),
  )
  expect(() => checkIssuer(providerAt('https://op.example/a'), {}, claims, undefined)).not.toThrow()
})
