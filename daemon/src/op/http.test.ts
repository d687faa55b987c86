/** The address policy where it counts: at the connection that is made, with names that deceive. */
import type { LookupAddress, LookupOptions } from 'node:dns'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { BentOp } from '../../../test/support/bent_op/index.js'
import { hasOpenssl, TestCa } from '../../../test/support/certificates.js'
import { Listener } from '../../../test/support/listener.js'
import { amplePlaces } from '../../../test/support/quotas.js'
import type { CommandError } from '../errors.js'
import { judging, type Lookup, RefusedAddress } from './connections.js'
import { type HttpOptions, OpHttp } from './http.js'

const made: OpHttp[] = []
let listener: Listener

beforeEach(async () => {
  listener = await Listener.start()
})

afterEach(async () => {
  for (const http of made.splice(0)) await http.close()
  await listener[Symbol.asyncDispose]()
})

/** A name server that answers this first, that second, and the last for ever. */
function nameServer(...answers: string[][]) {
  const asked: string[] = []
  const lookup: Lookup = (hostname, _, callback) => {
    const addresses = answers[Math.min(asked.length, answers.length - 1)] ?? []
    asked.push(hostname)
    queueMicrotask(() => callback(null, addresses.map(asLookedUp)))
  }
  return { asked, lookup }
}

function asLookedUp(address: string): LookupAddress {
  return { address, family: address.includes(':') ? 6 : 4 }
}

function open(options: Partial<HttpOptions> = {}): OpHttp {
  const http = new OpHttp({
    timeout: 2,
    insecure_hosts: [],
    allowed_hosts: [],
    realm: 'shop',
    places: amplePlaces,
    ...options,
  })
  made.push(http)
  return http
}

function get(http: OpHttp, url: string): Promise<Response> {
  return http.fetch(url, { method: 'GET', headers: {}, body: undefined, redirect: 'manual' })
}

async function refusal(work: Promise<unknown>): Promise<CommandError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason as CommandError,
  )
  if (!error) throw new Error('not refused')
  return error
}

test('a name that resolves to a public address when it is judged and to ours when it is called', async () => {
  const { asked, lookup } = nameServer(['8.8.8.8'], ['127.0.0.1'])
  const http = open({ lookup })
  const url = `https://rebound.example:${listener.port}/jwks`
  await http.admit(new URL(url))
  expect(await refusal(get(http, url))).toMatchObject({ code: 'op_host_not_allowed' })
  expect(asked).toEqual(['rebound.example', 'rebound.example'])
  expect(listener.connections).toBe(0)
})

test.each([
  ['one of ours', ['127.0.0.1']],
  ['ours in IPv6', ['::1']],
  ['ours, mapped', ['::ffff:127.0.0.1']],
  ['every interface', ['0.0.0.0']],
  ['a public one and ours', ['8.8.8.8', '127.0.0.1']],
  ['ours and a public one', ['::1', '2606:4700::1']],
  ['none', []],
])('a name that resolves to %s is not called', async (_, addresses) => {
  const http = open({ lookup: nameServer(addresses).lookup })
  const url = `https://op.example:${listener.port}`
  const called = await refusal(get(http, url))
  const admitted = await refusal(http.admit(new URL(url)))
  expect(called).toMatchObject({
    code: 'op_host_not_allowed',
    retryable: false,
    details: { host: `op.example:${listener.port}`, option: 'allowed_op_hosts' },
    message: `the daemon does not call op.example:${listener.port}: its address is not a public one; the operator may name the host in allowed_op_hosts of [realm shop]`,
  })
  expect([admitted.code, admitted.message]).toEqual([called.code, called.message])
  expect(listener.connections).toBe(0)
})

test('an address in the place of a name is not called', async () => {
  for (const host of ['127.0.0.1', '[::1]', '[::ffff:7f00:1]', '2130706433', '0.0.0.0']) {
    const error = await refusal(get(open(), `https://${host}:${listener.port}`))
    expect(error.code).toBe('op_host_not_allowed')
  }
  expect(listener.connections).toBe(0)
})

test.each<[all: boolean, handed: unknown[]]>([
  [true, [null, ['8.8.8.8', '2606:4700::1'].map(asLookedUp)]],
  [false, [null, '8.8.8.8', 4]],
])('what is handed on is what was judged (all: %s)', async (all, handed) => {
  const { asked, lookup } = nameServer(['8.8.8.8', '2606:4700::1'], ['127.0.0.1'])
  const options: LookupOptions = { all }
  const result = await new Promise<unknown[]>((resolve) => {
    judging(lookup)('op.example', options, (...args) => resolve(args))
  })
  expect(result).toEqual(handed)
  expect(asked).toEqual(['op.example'])
  const [error] = await new Promise<unknown[]>((resolve) => {
    judging(lookup)('op.example', options, (...args) => resolve(args))
  })
  expect(error).toBeInstanceOf(RefusedAddress)
})

describe('the operator’s own', () => {
  test.each([
    [
      'by its name',
      (port: number) => ({ allowed_hosts: ['op.example'], url: `op.example:${port}` }),
    ],
    [
      'with its port',
      (port: number) => ({ allowed_hosts: [`op.example:${port}`], url: `op.example:${port}` }),
    ],
    [
      'with a dot behind',
      (port: number) => ({ allowed_hosts: ['op.example'], url: `OP.example.:${port}` }),
    ],
    ['by its address', (port: number) => ({ allowed_hosts: ['127.0.0.1'], url: `127.1:${port}` })],
  ])('%s, is called at any address', async (_, settings) => {
    const { allowed_hosts, url } = settings(listener.port)
    const http = open({ allowed_hosts, lookup: nameServer(['127.0.0.1']).lookup })
    await http.admit(new URL(`https://${url}`))
    expect(await refusal(get(http, `https://${url}`))).toMatchObject({ code: 'op_unreachable' })
    expect(listener.connections).toBeGreaterThan(0)
  })

  test('on another port is not', async () => {
    const http = open({
      allowed_hosts: [`op.example:${listener.port + 1}`],
      lookup: nameServer(['127.0.0.1']).lookup,
    })
    const url = `https://op.example:${listener.port}`
    expect(await refusal(get(http, url))).toMatchObject({ code: 'op_host_not_allowed' })
    expect(listener.connections).toBe(0)
  })

  test.skipIf(!hasOpenssl())('is not called when its certificate is nobody’s', async () => {
    using ca = new TestCa()
    await using op = await BentOp.start({ tls: ca.server('localhost') })
    const http = open({ allowed_hosts: ['localhost'] })
    expect(await refusal(get(http, op.issuer))).toMatchObject({ code: 'op_unreachable' })
    expect(op.asked).toEqual([])
  })
})

test('behind a proxy nobody else is called, wherever the call comes from', async () => {
  const http = open({ proxy: `http://127.0.0.1:${listener.port}`, allowed_hosts: ['op.example'] })
  for (const host of ['other.example', '8.8.8.8', 'localhost', '[::1]']) {
    const error = await refusal(get(http, `https://${host}`))
    expect(error).toMatchObject({ code: 'op_host_not_allowed' })
    expect(error.message).toContain('behind a proxy')
  }
  expect(listener.connections).toBe(0)
  expect(await refusal(get(http, 'https://op.example'))).toMatchObject({ code: 'op_unreachable' })
  expect(listener.connections).toBeGreaterThan(0)
})

test('a name that does not resolve is unreachable, not refused', async () => {
  const lookup: Lookup = (_, __, callback) =>
    callback(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' }), [])
  const http = open({ lookup })
  for (const work of [http.admit(new URL('https://op.example')), get(http, 'https://op.example')]) {
    expect(await refusal(work)).toMatchObject({
      code: 'op_unreachable',
      message: 'op.example could not be reached: the host name does not resolve',
    })
  }
})

test('a host that never speaks TLS is not waited for', async () => {
  const server = createServer((socket) => socket.resume()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const http = open({ timeout: 0.1, allowed_hosts: ['127.0.0.1'] })
  expect(await refusal(get(http, `https://127.0.0.1:${port}`))).toMatchObject({
    code: 'op_unreachable',
    message: `127.0.0.1:${port} could not be reached: no answer in time`,
  })
  server.close()
  await once(server, 'close')
})

test('a name server that never answers is not waited for', async () => {
  const http = open({ timeout: 0.05, lookup: () => {} })
  for (const work of [http.admit(new URL('https://op.example')), get(http, 'https://op.example')]) {
    expect(await refusal(work)).toMatchObject({
      code: 'op_unreachable',
      message: 'op.example could not be reached: no answer in time',
    })
  }
})
