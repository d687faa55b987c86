import { expect, test } from 'vitest'
import { isTaken, listenOnLocalhost } from './localhost.js'

test('a port that is in use is told from other troubles', async () => {
  const first = await listenOnLocalhost(0)
  const error = await listenOnLocalhost(first.port).catch((error: unknown) => error)
  expect(isTaken(error)).toBe(true)
  await first.close()
  const second = await listenOnLocalhost(first.port)
  expect(second.port).toBe(first.port)
  await second.close()
})
