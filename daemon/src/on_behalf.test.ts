import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import {
  callingSite,
  currentRequest,
  forEverybody,
  onBehalfOf,
  onNobodysBehalf,
  recordOpCall,
} from './on_behalf.js'

const now = () => [currentRequest(), callingSite()]

test('work is on behalf of the request that began it, however deep, and of no other', async () => {
  const calls = { count: 0, ms: 0 }
  const run = (request_id: string) =>
    onBehalfOf({ request_id, site: `site of ${request_id}`, calls }, async () => {
      await setImmediate()
      recordOpCall(2)
      return [now(), forEverybody(now), onNobodysBehalf(now)]
    })
  expect(await Promise.all([run('a'), run('b')])).toEqual(
    ['a', 'b'].map((request_id) => [
      [request_id, `site of ${request_id}`],
      // Others wait for it too, and the log knows who began.
      [request_id, undefined],
      [undefined, undefined],
    ]),
  )
  expect(calls).toEqual({ count: 2, ms: 4 })
  expect(now()).toEqual([undefined, undefined])
})

test('what a command sets off in the background goes on without it', async () => {
  const later = await onBehalfOf(
    { request_id: 'a', site: 'a', calls: { count: 0, ms: 0 } },
    async () => ({ work: onNobodysBehalf(() => setImmediate().then(now)) }),
  )
  expect(await later.work).toEqual([undefined, undefined])
})
