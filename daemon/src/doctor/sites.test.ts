import { expect, test } from 'vitest'
import { sites } from './checks/sites.js'
import type { SiteView } from './store_view.js'
import type { World } from './world.js'

const redirect_uri = 'https://site.example/callback'

function siteAt(name: string, names_itself: boolean): SiteView {
  return {
    oxd_id: `site at ${name}`,
    realm: 'default',
    op_host: `https://${name}.example`,
    issuer: `https://${name}.example`,
    redirect_uri,
    registered_by: 'relyd',
    client_secret_expires_at: 0,
    names_itself,
  }
}

const find = (...all: SiteView[]) =>
  sites({
    config: { realms: new Map([['default', {}]]) },
    store: Promise.resolve({ sites: all }),
    now: 0,
  } as unknown as World)

test('two OPs that share an address and do not name themselves are a fault, with its cure', async () => {
  const found = await find(siteAt('a', false), siteAt('b', false), siteAt('c', true))
  expect(found).toEqual([
    expect.objectContaining({
      severity: 'fault',
      what: expect.stringContaining('logins of 2 OPs'),
      cure: expect.stringContaining('{op}'),
    }),
  ])
})

test('one such OP beside those that do is none', async () => {
  const found = await find(siteAt('a', false), siteAt('c', true))
  expect(found.map(({ severity }) => severity)).toEqual(['note'])
})
