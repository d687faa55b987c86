/** The plugin is at the helper's paths, wherever it is registered, or says why it cannot be. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fastify } from 'fastify'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Client } from '../client.js'
import { fastifyWebsite } from './fastify.js'

let folder: string
let client: Client

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'relyd-fastify-'))
  const cfg = join(folder, 'site.cfg')
  writeFileSync(
    cfg,
    '[oxd]\nsocket = /nowhere/relyd.sock\n[client]\nauthorization_redirect_uri = https://site.example/app/callback\n',
  )
  client = new Client(cfg)
})

afterAll(async () => {
  await client.close()
  rmSync(folder, { recursive: true })
})

test.each(['', '/app'])(
  'registered with the prefix %j, it has the paths of the cfg',
  async (prefix) => {
    const app = fastify()
    await app.register(fastifyWebsite(client, { login_path: '/app/log:in/%C3%A4' }).routes, {
      prefix,
    })
    const has = (url: string) => app.hasRoute({ method: 'GET', url })
    expect([has('/app/callback'), has('/app/logout'), has('/app/log::in/ä')]).toEqual([
      true,
      true,
      true,
    ])
  },
)

test('with a prefix that its paths are not below, it says so', async () => {
  const app = fastify()
  const registered = app.register(fastifyWebsite(client).routes, { prefix: '/other' })
  await expect(registered).rejects.toThrow(
    '/app/callback is not below the prefix /other: register site.routes outside of it',
  )
})

test('the prefix / is none', async () => {
  const app = fastify()
  await app.register(fastifyWebsite(client).routes, { prefix: '/' })
  const response = await app.inject({ method: 'GET', url: '/app/logout' })
  expect([response.statusCode, response.body]).toEqual([200, expect.stringContaining('Log out?')])
  await app.close()
})
