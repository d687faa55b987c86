/** Who refreshes when several want to, and what becomes of it when one of them dies, is late, or the session goes. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LEASE, SessionWorld } from '../../test/support/session_world.js'
import type { StoredSession } from './store/store.js'

let world: SessionWorld

beforeEach(async () => {
  world = await SessionWorld.start()
})

afterEach(() => world[Symbol.asyncDispose]())

test('who finds the lease taken waits with growing pauses, and has what its holder stored', async () => {
  const lease = await world.hold()
  world.onPause = async () => {
    if (world.pauses.length < 7) return
    await world.store.finishRefresh(world.session, lease, (secrets) => ({
      ...secrets,
      access_token: 'of the holder',
    }))
  }
  const refreshed = await world.refresh()
  expect(refreshed.session.secrets.access_token).toBe('of the holder')
  expect(world.pauses).toEqual([25, 50, 100, 200, 400, 500, 500])
  expect(world.op.calls().token).toBeUndefined()
})

test('the lease of a holder that died is taken over when it has run out, and not before', async () => {
  await world.hold()
  const began = world.now
  world.onPause = () => {
    world.now += 1
  }
  const { answer } = await world.refresh()
  expect(answer?.access_token).toBe(world.op.access_tokens.at(-1))
  expect(world.now).toBe(began + LEASE + 1)
  expect(world.op.calls().token).toBe(1)
})

test('a lease that others have all the time ends in refresh_in_progress', async () => {
  const { token } = await world.hold()
  const began = world.now
  world.onPause = async () => {
    world.now += 1
    await world.store.releaseSession(world.session.session_key, { token, until: 0 })
    await world.hold()
  }
  await expect(world.refresh()).rejects.toMatchObject({
    code: 'refresh_in_progress',
    retryable: true,
  })
  expect(world.now - began).toBe(2 * LEASE + 1)
  expect(world.op.calls().token).toBeUndefined()
})

test('who lost the lease does not overwrite what the next one stored', async () => {
  world.op.rotates = false
  const late = world.daemon()
  let next: StoredSession | undefined
  world.during(async () => {
    world.now += LEASE + 1
    next = (await world.refresh()).session
  })
  const { session: had } = await world.refresh(late)
  expect(next?.secrets.access_token).toBe(world.op.access_tokens.at(-1))
  expect(had.secrets).toEqual(next?.secrets)
  expect((await world.present())?.secrets).toEqual(next?.secrets)
  expect(world.op.calls().revocation).toBeUndefined()
})

test('a session that ends while it is refreshed leaves no tokens alive at the OP', async () => {
  world.during(() => world.store.takeSession(world.session_id, 'site', world.now))
  await expect(world.refresh()).rejects.toMatchObject({
    code: 'invalid_session_id',
  })
  expect(world.op.calls()).toMatchObject({ token: 1, revocation: 1 })
  expect(world.op.isActive(world.op.access_tokens.at(-1) as string)).toBe(false)
})

test('tokens that are revoked while they are refreshed are not replaced', async () => {
  world.during(() => world.store.dropTokens(world.session.session_key, ['refresh', 'access']))
  await expect(world.refresh()).rejects.toMatchObject({
    code: 'no_refresh_token',
  })
  expect(world.op.calls()).toMatchObject({ token: 1, revocation: 1 })
  const { secrets } = (await world.present()) as StoredSession
  expect(secrets.access_token).toBeUndefined()
  expect(secrets.refresh_token).toBeUndefined()
})

test('a failure gives the lease back at once', async () => {
  world.op.bend({ token: () => ({ status: 503, headers: {}, body: '' }) })
  const failing = world.refresh()
  await expect(failing).rejects.toMatchObject({ code: 'op_unreachable' })
  world.op.straighten()
  await world.hold()
  expect((await world.present())?.secrets).toEqual(world.session.secrets)
})

test('of ten who ask in one process at once, all have one answer, or one failure', async () => {
  const one = world.daemon()
  const ask = () => world.refresh(one)
  world.op.bend({ token: () => ({ status: 503, headers: {}, body: '' }) })
  const failed = await Promise.allSettled(Array.from({ length: 10 }, ask))
  expect(failed.map(({ status }) => status)).toEqual(failed.map(() => 'rejected'))
  expect(world.op.calls().token).toBe(1)
  world.op.straighten()

  world.op.rotates = false
  await world.putSession()
  const all = await Promise.all(Array.from({ length: 10 }, ask))
  expect(new Set(all.map(({ answer }) => answer?.access_token)).size).toBe(1)
  expect(world.op.calls().token).toBe(2)
})

test('at its end a daemon waits for who asks the OP, and not for another daemon', async () => {
  const ending = world.daemon()
  let finished: Promise<void> | undefined
  world.during(async () => {
    finished = ending.finish()
  })
  const { answer } = await world.refresh(ending)
  expect(answer).toBeDefined()
  await finished

  await world.putSession()
  await world.hold()
  const waiting = world.daemon()
  world.onPause = () => {
    finished ??= waiting.finish()
  }
  finished = undefined
  await expect(world.refresh(waiting)).rejects.toMatchObject({
    code: 'shutting_down',
    retryable: true,
  })
  expect(world.pauses).toHaveLength(1)
  await finished
})
