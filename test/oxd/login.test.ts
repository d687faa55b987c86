/** A login as oxd clients of each generation know it: code, tokens, UserInfo, refresh, logout. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { OxdWorld } from '../support/oxd/oxd_world.js'

let world: OxdWorld

beforeAll(async () => {
  world = await OxdWorld.start()
})

afterAll(() => world[Symbol.asyncDispose]())

const texts = expect.stringMatching(/./)

describe.each(['3.1', '3.0', '2.4'] as const)('generation %s', (generation) => {
  test('a login brings tokens, UserInfo, other tokens, and an end', async () => {
    using site = await world.site(generation)
    const tokens = await site.logIn()
    expect(tokens).toEqual({
      access_token: texts,
      expires_in: 3600,
      id_token: texts,
      refresh_token: texts,
      id_token_claims: expect.objectContaining({ sub: ['alice'], iss: [world.op.issuer] }),
    })

    const info = await site.ok('get_user_info', { access_token: tokens.access_token })
    expect(info.claims).toMatchObject({ sub: ['alice'], email: ['alice@example.com'] })
    expect(Object.keys(info)).toEqual(
      generation === '3.1' ? ['claims', 'refresh_token', 'access_token'] : ['claims'],
    )

    const { refresh_token } = tokens
    const fresh = await site.ok('get_access_token_by_refresh_token', { refresh_token })
    expect(fresh).toEqual({
      access_token: texts,
      expires_in: 3600,
      refresh_token: texts,
      scope: 'openid profile email address offline_access',
    })
    expect(fresh.access_token).not.toBe(tokens.access_token)

    const { uri } = await site.ok('get_logout_uri', {
      id_token_hint: tokens.id_token,
      state: 'back',
      session_state: 'watched',
    })
    const { origin, searchParams } = new URL(uri)
    expect(origin).toBe(world.op.issuer)
    expect(searchParams.get('id_token_hint')).toBe(tokens.id_token)
    expect(searchParams.get('state')).toBe('back')
    expect(searchParams.has('session_state')).toBe(false)
  })
})
