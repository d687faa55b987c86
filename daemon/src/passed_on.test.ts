/** How long, and how much of, what refresh tokens without a session have brought stays in memory. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { withMembers } from '../../test/support/bent_op/index.js'
import { SessionWorld } from '../../test/support/session_world.js'

let world: SessionWorld

beforeEach(async () => {
  world = await SessionWorld.start()
})

afterEach(async () => {
  vi.useRealTimers()
  vi.restoreAllMocks()
  await world[Symbol.asyncDispose]()
})

/** Redeems a refresh token that no session has. */
function redeem() {
  const { refresh_token } = world.op.grant(world.site.client.client_id)
  return world.passed_on.redeem(world.side, world.site, refresh_token, undefined)
}

test('is gone after a minute, although nobody asks for it', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  await redeem()
  expect(world.passed_on.remembered).toBe(1)
  const later = performance.now() + 61_000
  vi.spyOn(performance, 'now').mockReturnValue(later)
  vi.advanceTimersByTime(61_000)
  expect(world.passed_on.remembered).toBe(0)
})

test('is bounded by its length', async () => {
  const long = 'a'.repeat(65_536)
  world.op.bend({
    token: withMembers({ access_token: long, refresh_token: long, id_token: undefined }),
  })
  for (let n = 0; n < 40; n += 1) await redeem()
  expect(world.passed_on.remembered).toBe(31)
})

test('is one question to the OP, whoever asks meanwhile', async () => {
  const { refresh_token } = world.op.grant(world.site.client.client_id)
  const ask = () => world.passed_on.redeem(world.side, world.site, refresh_token, undefined)
  const [one, other] = await Promise.all([ask(), ask()])
  expect(other).toBe(one)
  expect(await ask()).toEqual(one)
  expect(world.op.calls().token).toBe(1)
})
