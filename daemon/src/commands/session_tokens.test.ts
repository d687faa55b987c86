/** What the commands about a session's tokens do when something comes between, and when there are no new tokens to be had. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { answers, hang, json } from '../../../test/support/bent_op/index.js'
import { SessionWorld } from '../../../test/support/session_world.js'

let world: SessionWorld

beforeEach(async () => {
  world = await SessionWorld.start()
})

afterEach(() => world[Symbol.asyncDispose]())

/** Tokens that the OP was told to forget, oldest first. */
function revoked(): (string | null)[] {
  return world.op.asked
    .filter(({ endpoint }) => endpoint === 'revocation')
    .map(({ body }) => new URLSearchParams(body).get('token'))
}

/** A session whose access token is good for so long. */
function lasting(seconds: number) {
  const access_token_expires_at = world.now + seconds
  return world.putSession({ access_token_expires_at, access_token_lifetime: 3600 })
}

const ask = (params: object = {}) => {
  const { session_id } = world
  return world.run('get_access_token', { session_id, ...params })
}

describe('revoke_token', () => {
  test('of a session also revokes what a refresh has brought meanwhile', async () => {
    const { refresh_token } = world.session.secrets
    world.afterReading(() => world.refresh())
    const { session_id } = world
    expect(await world.run('revoke_token', { session_id })).toEqual({ revoked: true })
    expect(revoked()).toEqual([refresh_token, expect.any(String)])
    expect(revoked()[1]).not.toBe(refresh_token)
    expect((await world.present())?.secrets).not.toHaveProperty('refresh_token')
    expect(await world.run('revoke_token', { session_id })).toEqual({ revoked: false })
  })

  test('of a used refresh token also revokes the one that it brought', async () => {
    const { refresh_token } = world.session.secrets
    const { session } = await world.refresh()
    expect(await world.run('revoke_token', { token: refresh_token })).toEqual({ revoked: true })
    expect(revoked()).toEqual([refresh_token, session.secrets.refresh_token])
    expect((await world.present())?.secrets).not.toHaveProperty('access_token')
  })

  test('of a session whose refresh token was rejected revokes its access token', async () => {
    world.op.bend({ token: answers(json({ error: 'invalid_grant' }, 400)) })
    await expect(world.refresh()).rejects.toMatchObject({ code: 'refresh_token_rejected' })
    const { session_id } = world
    expect(await world.run('revoke_token', { session_id })).toEqual({ revoked: true })
    expect(revoked()).toEqual([world.session.secrets.access_token])
  })

  test('of a token that came by a refresh token without a session forgets that answer', async () => {
    const { refresh_token } = world.session.secrets
    await world.store.takeSession(world.session_id, 'site', world.now)
    const redeem = () => world.run('get_access_token_by_refresh_token', { refresh_token })
    const brought = await redeem()
    expect(await redeem()).toEqual(brought)
    expect(await world.run('revoke_token', { token: 'another' })).toEqual({ revoked: true })
    expect(await redeem()).toEqual(brought)
    await world.run('revoke_token', { token: brought['access_token'] })
    expect(await redeem()).toEqual({ error: 'refresh_token_rejected' })
  })
})

describe('an access token that is still good, where a new one cannot be had', () => {
  test.each<[code: string, answer: Parameters<typeof answers>[0]]>([
    ['op_unreachable', json({}, 503)],
    ['op_error', json({ error: 'slow_down' }, 429)],
    ['invalid_op_response', json({ hello: 1 })],
  ])('is answered in spite of %s', async (code, answer) => {
    await lasting(25)
    world.op.bend({ token: answers(answer) })
    const { access_token } = world.session.secrets
    expect(await ask()).toMatchObject({ access_token, expires_in: 25 })
    expect(await ask({ min_lifetime: 30 })).toEqual({ error: code })
    expect(await ask({ rejected_access_token: access_token })).toEqual({ error: code })
  })

  test('is not, if the OP rejects the refresh token', async () => {
    await lasting(25)
    world.op.bend({ token: answers(json({ error: 'invalid_grant' }, 400)) })
    expect(await ask()).toEqual({ error: 'refresh_token_rejected' })
  })

  test('is not, if it was revoked meanwhile', async () => {
    await lasting(25)
    const { session_id } = world
    world.during(() => world.run('revoke_token', { session_id }))
    expect(await ask()).toEqual({ error: 'no_refresh_token' })
  })

  test('costs one wait for the OP in a few seconds', async () => {
    await lasting(25)
    world.op.rotates = false
    const { access_token } = world.session.secrets
    world.op.bend({ token: answers(hang) })
    for (let turn = 0; turn < 3; turn += 1) expect(await ask()).toMatchObject({ access_token })
    expect(world.op.calls().token).toBe(1)
    world.op.straighten()
    world.now += 5
    const next = await ask()
    expect(next['access_token']).toBe(world.op.access_tokens.at(-1))
    expect(next['access_token']).not.toBe(access_token)
  })
})

describe('an access token of fewer scopes', () => {
  const narrow = () => {
    const { refresh_token } = world.session.secrets
    return world.run('get_access_token_by_refresh_token', { refresh_token, scope: ['openid'] })
  }

  test('is known to get_user_info until it expires, and the session with it', async () => {
    const { access_token } = await narrow()
    const who = () => world.run('get_user_info', { access_token })
    world.now += 300
    expect(await who()).toMatchObject({ claims: { sub: world.op.sub } })
    world.now += 1
    expect(await who()).toEqual({ error: 'unknown_access_token' })
    world.op.expires_in = 100_000
    await world.putSession()
    const longer = await narrow()
    world.now += 600
    const asked = { access_token: longer['access_token'] }
    expect(await world.run('get_user_info', asked)).toMatchObject({ claims: { sub: world.op.sub } })
    world.now += 1
    expect(await world.run('get_user_info', asked)).toEqual({ error: 'unknown_access_token' })
  })

  test('that the OP rejects says nothing of the refresh token', async () => {
    world.op.rotates = false
    world.op.bend({ token: answers(json({ error: 'invalid_grant' }, 400)) })
    expect(await narrow()).toEqual({ error: 'refresh_token_rejected' })
    world.op.straighten()
    const { access_token } = world.session.secrets
    expect(await ask({ rejected_access_token: access_token })).toHaveProperty('access_token')
  })
})

test('an introspection never finds a refresh token good', async () => {
  const { refresh_token, access_token } = world.session.secrets
  const { session } = await world.refresh()
  const active = { active: true, sub: world.op.sub }
  world.op.bend({ introspection: answers(json(active)) })
  const introspect = (token: string | undefined) =>
    world.run('introspect_access_token', { access_token: token })
  expect(await introspect(refresh_token)).toEqual({ active: false })
  expect(await introspect(session.secrets.refresh_token)).toEqual({ active: false })
  expect(world.op.calls().introspection).toBeUndefined()
  expect(await introspect(access_token)).toEqual(active)
  for (const [token_type, good] of [
    ['refresh_token', false],
    ['N_A', false],
    ['bearer', true],
    ['access_token', true],
  ] as const) {
    world.op.bend({ introspection: answers(json({ ...active, token_type })) })
    expect((await introspect(access_token))['active']).toBe(good)
  }
})
