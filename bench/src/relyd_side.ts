/** A website that uses relyd: the SDK in this process, the daemon in its own. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from '@relyd/sdk'
import { callbackOf } from './callback.js'
import { cpuOf, ownCpu } from './cpu.js'
import { type Setting, type Side, website } from './side.js'

export async function relydSide({ folder, issuer, socket, daemon_pid }: Setting): Promise<Side> {
  const cfg = join(folder, 'site.cfg')
  writeFileSync(
    cfg,
    `[oxd]
socket = ${socket}
[client]
authorization_redirect_uri = ${website.redirect_uri}
op_host = ${issuer}
client_id = ${website.client_id}
client_secret = ${website.client_secret}
scope = ${website.scope.join(' ')}
`,
    { mode: 0o600 },
  )
  const client = new Client(cfg)
  await client.registerSite()
  return {
    url: () => client.getAuthorizationUrl(),
    async login() {
      const { authorization_url, binding } = await client.getAuthorizationUrl()
      const callback = callbackOf(authorization_url, issuer)
      return client.getTokensByCallback({ callback, binding })
    },
    ping: () => client.ping(),
    cpu: () => ({ client: ownCpu(), daemon: cpuOf(daemon_pid) }),
    close: () => client.close(),
  }
}
