/** Calls of a site wait for calls of that site, in turn, and not for ever. */
import { expect, test } from 'vitest'
import { OpPlaces } from './op_places.js'

const never = new AbortController().signal

function places(site: number, realm = 100): OpPlaces {
  return new OpPlaces({ site, realm }, ({ quota, level }) => new Error(`${quota} of the ${level}`))
}

/** Notes who got in, in order. */
function watch(some: OpPlaces) {
  const entered: string[] = []
  const leave = new Map<string, () => void>()
  return {
    entered,
    leave: (name: string) => leave.get(name)?.(),
    enter: (site: string, name: string, deadline = never) =>
      some.enter(site, deadline).then((give_back) => {
        entered.push(name)
        leave.set(name, give_back)
      }),
  }
}

const settled = () => new Promise((resolve) => setImmediate(resolve))

test('a site at its limit waits for its own calls, and others do not wait at all', async () => {
  const { enter, leave, entered } = watch(places(2))
  void enter('a', 'a1')
  void enter('a', 'a2')
  void enter('a', 'a3')
  void enter('b', 'b1')
  await settled()
  expect(entered).toEqual(['a1', 'a2', 'b1'])
  leave('b1')
  await settled()
  expect(entered).toEqual(['a1', 'a2', 'b1'])
  leave('a1')
  await settled()
  expect(entered).toEqual(['a1', 'a2', 'b1', 'a3'])
})

test('a full realm still lets each site have its share, and gives places back in turn', async () => {
  const { enter, leave, entered } = watch(places(10, 2))
  for (const name of ['a1', 'a2', 'a3', 'a4']) void enter('a', name)
  void enter('b', 'b1')
  void enter('b', 'b2')
  await settled()
  expect(entered).toEqual(['a1', 'a2', 'b1'])
  for (const name of ['a1', 'a2', 'b1']) leave(name)
  await settled()
  // Two places, one for each: a's third did not get both because it asked first.
  expect(entered.slice(3).toSorted()).toEqual(['a3', 'b2'])
})

test('who waits until the deadline is told the quota, and takes no place afterwards', async () => {
  const { enter, leave, entered } = watch(places(1))
  const deadline = new AbortController()
  await enter('a', 'a1')
  const late = enter('a', 'late', deadline.signal)
  const next = enter('a', 'next')
  deadline.abort()
  await expect(late).rejects.toThrow('op_calls of the site')
  await expect(enter('a', 'too late', deadline.signal)).rejects.toThrow('op_calls of the site')
  leave('a1')
  await next
  expect(entered).toEqual(['a1', 'next'])
})
