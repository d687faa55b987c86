import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { siteParamsOf } from './site_options.js'

const folder = mkdtempSync(join(tmpdir(), 'relyd-options-'))

afterAll(() => rmSync(folder, { recursive: true }))

function paramsOf(members: object) {
  const clientMetadata = join(folder, 'metadata.json')
  writeFileSync(clientMetadata, JSON.stringify(members))
  return siteParamsOf({ clientMetadata })
}

test('--client-metadata gives metadata', async () => {
  const members = { contacts: ['a@site.example'], client_name: 'Shop', metadata: { tier: 2 } }
  expect(await paramsOf(members)).toEqual(members)
})

test.each([
  [{ name: 'other' }, /name is no metadata/],
  [{ site: 'other' }, /site is no metadata/],
  [{ toString: 'a' }, /toString is no metadata/],
  [{ op_host: 'https://else.example' }, /op_host does not belong there; --op says it/],
  [{ redirect_uris: ['https://a.example'] }, /redirect_uris .*--redirect-uri/],
  [{ client_id: 'a' }, /client_id .*--client-id/],
  [{ client_secret: 'b' }, /client_secret .*--client-secret-file/],
  [{ token_endpoint_auth_method: 'none' }, /token_endpoint_auth_method .*--auth-method/],
])('--client-metadata takes nothing else: %o', async (members, told) => {
  await expect(paramsOf(members)).rejects.toThrow(told)
})
