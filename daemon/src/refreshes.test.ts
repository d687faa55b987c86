/** Who refreshes when several want to, and what becomes of it when one of them dies, is late, or the session goes. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { answers, breakSignature, json, send, set } from '../../test/support/bent_op/index.js'
import { LEASE, SessionWorld } from '../../test/support/session_world.js'
import { hashToken } from './sessions.js'
import type { SessionSecrets, StoredSession } from './store/store.js'

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
  const lease = await world.hold()
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
  await world.store.releaseSession(world.session.session_key, lease)
  await expect(world.refresh(waiting)).rejects.toMatchObject({ code: 'shutting_down' })
  expect(world.op.calls().token).toBe(1)
})

/** What an OP that rotates says to a token that was used, if it takes no revenge. */
const rejection = json({ error: 'invalid_grant' }, 400)

/** Of a refresh that is answered when its lease has run out, and `next` has had its turn. */
async function late(next: () => Promise<unknown>) {
  world.during(async () => {
    world.now += LEASE + 1
    await next()
  })
  return world.refresh()
}

test('a good answer that is late is stored, where the next holder has failed', async () => {
  const { session, answer } = await late(async () => {
    world.op.bend({ token: answers(rejection) })
    await expect(world.refresh()).rejects.toMatchObject({ code: 'refresh_token_rejected' })
    world.op.straighten()
  })
  expect(answer?.access_token).toBeDefined()
  expect(session.secrets.access_token).toBe(answer?.access_token)
  expect(session.secrets.refresh_token).toBe(answer?.refresh_token)
  expect((await world.present())?.secrets).toEqual(session.secrets)
})

test('a good answer that is late and of no use leaves no refresh token alive at the OP', async () => {
  const stored = { access_token: 'of the next', refresh_token: 'next' }
  const { session } = await late(async () => {
    const lease = await world.hold()
    const change = (secrets: SessionSecrets) => ({ ...secrets, ...stored })
    await world.store.finishRefresh(world.session, lease, change)
  })
  expect(session.secrets).toMatchObject(stored)
  expect(world.op.calls()).toMatchObject({ token: 1, revocation: 1 })
  expect(world.op.isActive(world.op.access_tokens.at(-1) as string)).toBe(false)
})

test('who is rejected because a late answer used the token up has what that brought', async () => {
  world.op.bend({
    token: () => (response) => {
      const change = (secrets: SessionSecrets) => ({ ...secrets, access_token: 'of the late one' })
      const lease = { token: Buffer.alloc(16, 'late'), until: 0 }
      void world.store
        .finishRefresh(world.session, lease, change)
        .then(() => send(response, rejection))
    },
  })
  const { session } = await world.refresh()
  expect(session.secrets.access_token).toBe('of the late one')
  expect(session.secrets).not.toHaveProperty('refresh_rejected')
})

test('a clock that is set back keeps nobody waiting for longer', async () => {
  await world.hold()
  world.onPause = () => {
    if (world.pauses.length === 1) step(-30)
    world.now += 1
  }
  expect((await world.refresh()).answer).toBeDefined()
  expect(world.pauses.length).toBeLessThan(3)

  await world.putSession()
  world.pauses = []
  const { token } = await world.hold()
  world.onPause = async () => {
    world.now += 1
    step(-1)
    await world.store.releaseSession(world.session.session_key, { token, until: 0 })
    await world.hold()
  }
  await expect(world.refresh()).rejects.toMatchObject({ code: 'refresh_in_progress' })
  expect(world.pauses.length).toBe(2 * LEASE + 1)
})

function step(seconds: number): void {
  world.now += seconds
  world.stepped += seconds
}

test('who has no refresh token asks nobody, and writes nothing', async () => {
  await world.store.dropTokens(world.session.session_key, ['refresh'])
  world.session = (await world.present()) as StoredSession
  const { commits } = world.store
  await expect(world.refresh()).rejects.toMatchObject({ code: 'no_refresh_token' })
  expect(world.store.commits).toBe(commits)
})

describe('an answer with a new refresh token and an ID Token', () => {
  const renewed = async () => (await world.present())?.secrets.refresh_token

  test('whose key cannot be fetched: the refresh token stays, and nothing else does', async () => {
    const key = world.op.rotate()
    world.op.bend({ jwks: answers(json({}, 503)) })
    await expect(world.refresh()).rejects.toMatchObject({ code: 'op_unreachable', retryable: true })
    const { refresh_token, ...kept } = world.session.secrets
    expect((await world.present())?.secrets).toMatchObject(kept)
    expect(await renewed()).not.toBe(refresh_token)
    world.op.straighten()
    expect(world.op.keys).toEqual([key.jwk])
    const found = await world.store.findSession(
      'site',
      'refresh',
      hashToken(refresh_token as string),
      world.now,
    )
    expect(found).toMatchObject({ current: false })
    expect((await world.refresh()).answer).toBeDefined()
  })

  test('whose key nobody knows, as the keys were asked for too often: the same', async () => {
    world.op.rotate()
    world.op.bend({ jwks: answers(json({}, 404)) })
    for (let turn = 0; turn < 5; turn += 1) await expect(world.refresh()).rejects.toThrow()
    expect(world.op.calls().revocation).toBeUndefined()
    world.op.straighten()
    world.now += 60
    expect((await world.refresh()).answer).toBeDefined()
  })

  test('whose key cannot be fetched, while the tokens are revoked: so is the new one', async () => {
    await world.side.providers.get(world.op.issuer)
    world.op.rotate()
    world.op.bend({
      jwks: () => (response) => {
        void world.store
          .dropTokens(world.session.session_key, ['refresh', 'access'])
          .then(() => send(response, json({}, 503)))
      },
    })
    await expect(world.refresh()).rejects.toMatchObject({ code: 'op_unreachable' })
    expect(world.op.calls()).toMatchObject({ revocation: 1 })
    expect((await world.present())?.secrets).not.toHaveProperty('refresh_token')
  })

  test('that one of the clocks calls expired: the same', async () => {
    world.op.bend({ claims: set({ exp: world.now - 300 }) })
    await expect(world.refresh()).rejects.toMatchObject({ code: 'invalid_id_token_expired' })
    expect(world.op.calls().revocation).toBeUndefined()
    world.op.straighten()
    expect((await world.refresh()).answer).toBeDefined()
  })

  test('that is wrong: the new refresh token is revoked', async () => {
    world.op.bend({ id_token: breakSignature })
    await expect(world.refresh()).rejects.toMatchObject({ code: 'invalid_id_token_bad_signature' })
    expect(world.op.calls()).toMatchObject({ revocation: 1 })
    expect(world.op.last('revocation').body).not.toContain(world.session.secrets.refresh_token)
    expect((await world.present())?.secrets).toEqual(world.session.secrets)
  })

  test.each([
    ['sub', 'mallory', 'invalid_id_token_bad_sub'],
    ['iss', 'https://evil.example', 'invalid_id_token_bad_issuer'],
  ])('of another %s: the session is over', async (claim, value, code) => {
    const delivered: unknown[] = []
    const subscriber = { gone: false, deliver: (event: unknown) => delivered.push(event) }
    world.events.subscribe(subscriber, 'site', ['logout'])
    world.op.bend({ claims: set({ [claim]: value }) })
    await expect(world.refresh()).rejects.toMatchObject({ code, retryable: false })
    expect(await world.present()).toBeUndefined()
    expect(delivered).toMatchObject([{ event: 'logout', data: { sub: world.op.sub } }])
    expect(world.op.isActive(world.op.access_tokens.at(-1) as string)).toBe(false)
  })

  test('of another iss that is not signed by the OP ends nothing', async () => {
    world.op.bend({ claims: set({ iss: 'https://evil.example' }), id_token: breakSignature })
    const code = 'invalid_id_token_bad_signature'
    await expect(world.refresh()).rejects.toMatchObject({ code })
    expect(await world.present()).toBeDefined()
  })
})
