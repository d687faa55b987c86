/** What oxd clients may still ask for and relyd has no use for: headless logins, and the licence. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type OxdSite, OxdWorld } from '../support/oxd/oxd_world.js'

let world: OxdWorld
let site: OxdSite

beforeAll(async () => {
  world = await OxdWorld.start()
  site = await world.site()
})

afterAll(async () => {
  site[Symbol.dispose]()
  await world[Symbol.asyncDispose]()
})

const password = 'the password of a person'

test.each([
  ['get_authorization_code', { username: 'alice', password, acr_values: ['basic'] }],
  ['authorization_code_flow', { user_id: 'alice', user_secret: password, acr: 'basic' }],
  ['implicit_flow', { user_id: 'alice', user_secret: password, scope: 'openid' }],
])('%s is refused with a cure, and nobody reads the password', async (command, params) => {
  expect(await site.refused(command, params)).toMatchObject({
    error: 'unsupported_operation',
    error_description: expect.stringContaining('get_authorization_url'),
  })
  expect(await site.refused(command, { ...params, oxd_id: '' })).toMatchObject({
    error: 'bad_request',
  })
  expect(world.daemon.output).not.toContain(password)
})

test('license_status needs no site, and says that all is well', async () => {
  expect(await site.wire.ok('license_status')).toEqual({
    valid: true,
    thread_count: expect.any(Number),
    name: expect.any(String),
    features: [],
  })
})
