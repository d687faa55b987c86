/** oxdpython 3.1.3.1 and oxd-node 3.1.4, unmodified, by HTTP instead of the socket: trap 18, with a whole life of a site. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Op } from '../../demosite/src/op.js'
import type { TestDaemon } from '../support/daemon.js'
import { EndUser } from '../support/end_user.js'
import { installOxdNode, NodeClient } from '../support/oxd/node_client.js'
import { realmAt, startOxdDaemon } from '../support/oxd/oxd_daemon.js'
import { clientOf, startOxdOp } from '../support/oxd/oxd_op.js'
import { installOxdpython, PythonClient } from '../support/oxd/python_client.js'
import { hasPython27 } from '../support/python27.js'

const MINUTE = 60_000

/** Of the listener of the realm that protects its commands, and of the one that does not. */
const GUARDED = 2
const OPEN = 3

const folder = mkdtempSync(join(tmpdir(), 'relyd-oxd-http-'))
let op: Op
let daemon: TestDaemon

beforeAll(async () => {
  op = await startOxdOp()
  const guarded = realmAt('guarded', '3.1', 'protect_commands_with_access_token = yes')
  daemon = await startOxdDaemon({
    sections: `${guarded}oxd_http = yes\n${realmAt('open', '3.1')}oxd_http = yes\n`,
  })
})

afterAll(async () => {
  await daemon?.[Symbol.asyncDispose]()
  await op?.close()
  rmSync(folder, { recursive: true, force: true })
})

const settings = () => ({
  op_host: op.issuer,
  authorization_redirect_uri: 'https://site.example/callback',
  post_logout_redirect_uri: 'https://site.example/bye',
})

const host = (listener: number) => `http://127.0.0.1:${daemon.portOf(listener)}`

async function callbackOf(authorization_url: string): Promise<{ code: string; state: string }> {
  const { searchParams } = new URL(await new EndUser().logIn(authorization_url))
  return { code: String(searchParams.get('code')), state: String(searchParams.get('state')) }
}

test(
  'oxd-node, without protection and with it',
  async () => {
    await installOxdNode(folder)
    for (const listener of [OPEN, GUARDED]) {
      const config = { https_extension: true, host: host(listener), port: 0 }
      await using site = new NodeClient(folder, config)
      const setup = await site.ok('setup_client', settings())
      const { access_token: token } = await site.ok('get_client_token', { ...setup, ...settings() })
      if (listener === GUARDED) {
        // Its error is the body of the answer, for 403 is not 200.
        await expect(site.call('get_authorization_url', setup)).rejects.toThrow('[object Object]')
      }
      const of = {
        oxd_id: setup.oxd_id,
        ...(listener === GUARDED && { protection_access_token: token }),
      }
      const { authorization_url } = await site.ok('get_authorization_url', of)
      const callback = await callbackOf(authorization_url)
      const { access_token } = await site.ok('get_tokens_by_code', { ...of, ...callback })
      const { claims } = await site.ok('get_user_info', { ...of, access_token })
      expect(claims).toMatchObject({ sub: ['alice'], name: ['Alice Ångström'] })
      expect((await site.call('get_tokens_by_code', { ...of, ...callback })).data).toMatchObject({
        error: 'bad_request',
      })
      // Longer than the socket of this client could take.
      await site.ok('update_site', { ...of, ...settings(), client_name: 'x'.repeat(2000) })
      expect(await clientOf(op, authorization_url)).toHaveProperty('client_name.length', 2000)
      await site.ok('remove_site', of)
    }
  },
  MINUTE,
)

test.skipIf(!hasPython27())(
  'oxdpython, without protection and with it',
  async () => {
    const library = await installOxdpython(folder)
    for (const listener of [OPEN, GUARDED]) {
      await using site = new PythonClient(library, {
        oxd: { host: host(listener), https_extension: 'true', id: '' },
        client: settings(),
      })
      await site.call('setup_client')
      if (listener === GUARDED) {
        await expect(site.call('get_authorization_url')).rejects.toThrow('HTTP Error 403')
        await site.call('get_client_token')
      }
      const url = await site.call('get_authorization_url')
      const { code, state } = await callbackOf(url)
      const { access_token } = await site.call('get_tokens_by_code', [code, state])
      expect(await site.call('get_user_info', [access_token])).toMatchObject({ sub: ['alice'] })
      await expect(site.call('get_tokens_by_code', [code, state])).rejects.toThrow(
        'OxdServerError: oxd Server Error: bad_request',
      )
      await expect(site.call('uma_rp_get_rpt', ['a ticket'])).rejects.toThrow('internal_error')
      expect(await site.call('update_site')).toBe(true)
      await site.call('remove_site')
      expect(await clientOf(op, url)).toBeUndefined()
    }
  },
  MINUTE,
)
