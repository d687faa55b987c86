/** A registration's metadata from files: the operator's, and a site's own cfg (RFC 7591 2). */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Client } from '../../sdk/src/index.js'
import { BentOp } from '../support/bent_op/index.js'
import { relyd } from '../support/cli.js'
import { TestDaemon } from '../support/daemon.js'

const authorization_redirect_uri = 'https://site.example/callback'

let daemon: TestDaemon
let op: BentOp

beforeAll(async () => {
  daemon = await TestDaemon.start()
  op = await BentOp.start()
  op.rotates_registration_tokens = true
})

afterAll(async () => {
  await daemon[Symbol.asyncDispose]()
  await op[Symbol.asyncDispose]()
})

test('P7 P12 the operator gives metadata in a file, when a site is added and changed', async () => {
  const file = join(daemon.folder, 'metadata.json')
  const give = async (members: object | string, ...words: string[]) => {
    writeFileSync(file, typeof members === 'string' ? members : JSON.stringify(members))
    return relyd(['sites', ...words, '--client-metadata', file, '--config', daemon.config])
  }
  const where = ['--op', op.issuer, '--redirect-uri', authorization_redirect_uri]
  const tos_uri = 'https://site.example/terms'
  const added = await give({ tos_uri, metadata: { tier: 1 } }, 'add', 'blog', ...where)
  expect(added).toMatchObject({ status: 0 })
  expect(JSON.parse(op.last('registration').body)).toMatchObject({ tos_uri, tier: 1 })
  const again = await give({ tos_uri, metadata: { tier: 1 } }, 'add', 'blog', ...where)
  expect(again).toMatchObject({ status: 0 })
  const other = await give({ tos_uri }, 'add', 'blog', ...where)
  expect(other.stderr).toContain('has a site blog already, with another settings')
  expect(await give({ metadata: { tier: 2 } }, 'update', 'blog')).toMatchObject({ status: 0 })
  expect(JSON.parse(op.last('client').body)).toMatchObject({ tos_uri, tier: 2 })
  expect((await give('[]', 'update', 'blog')).stderr).toContain('holds no JSON object')
  expect((await give({ tos: 'x' }, 'update', 'blog')).stderr).toContain('tos')
})

describe('C5 a cfg', () => {
  test('says all of a registration, and registers anew once its id is taken out', async () => {
    const cfg = join(daemon.folder, 'site.cfg')
    const text = `[oxd]
socket = ${daemon.socket}
[client]
op_host = ${op.issuer}
authorization_redirect_uri = ${authorization_redirect_uri}
token_endpoint_auth_method = client_secret_post
default_max_age = 3600
require_auth_time = true
contacts = a@site.example, b@site.example
metadata = {"client_name#de": "Laden"}
`
    writeFileSync(cfg, text, { mode: 0o600 })
    const client_ids = new Set<string>()
    const register = async () => {
      await using client = new Client(cfg, { env: {} })
      client_ids.add((await client.getSite()).client_id)
      return client
    }
    await register()
    expect(JSON.parse(op.last('registration').body)).toMatchObject({
      token_endpoint_auth_method: 'client_secret_post',
      default_max_age: 3600,
      require_auth_time: true,
      contacts: ['a@site.example', 'b@site.example'],
      'client_name#de': 'Laden',
    })
    await register()
    expect(client_ids.size).toBe(1)
    // The clean registration: what was written into the file is taken out again.
    writeFileSync(cfg, text)
    await register()
    expect(client_ids.size).toBe(2)
    {
      await using client = new Client(cfg, { env: {} })
      expect(await client.updateSite({ client_name: 'Shop' })).not.toHaveProperty('changed')
      expect(await client.removeSite()).toMatchObject({ removed_at_op: true })
    }
    await register()
    expect(client_ids.size).toBe(3)
  })
})
