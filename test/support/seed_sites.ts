/** Sites that nobody registered, put into the store of a daemon at work: such as it would not take any more. */
import { randomUUID } from 'node:crypto'
import { loadConfig } from '../../daemon/src/config/load.js'
import { openStore } from '../../daemon/src/store/open.js'
import type { Site } from '../../daemon/src/store/store.js'
import type { TestDaemon } from './daemon.js'
import { ample } from './quotas.js'

/** @returns their oxd_ids, in the order of the settings */
export async function seedSites(
  daemon: TestDaemon,
  seeds: readonly (Pick<Site, 'name'> & { settings: Partial<Site['settings']> })[],
): Promise<string[]> {
  const now = Math.floor(Date.now() / 1000)
  const sites = seeds.map(
    ({ name, settings }): Site => ({
      oxd_id: randomUUID(),
      realm: 'default',
      op_host: 'https://op.example',
      issuer: 'https://op.example',
      redirect_uri: 'https://site.example/callback',
      registered_by: 'operator',
      client: { client_id: 'client', redirect_uris: ['https://site.example/callback'] },
      settings: { scope: ['openid'], login_binding: 'required', tokens: 'site', ...settings },
      created_at: now,
      secrets: {},
      name: name ?? null,
    }),
  )
  const { store } = await openStore(loadConfig(daemon.config).daemon)
  try {
    if ((await store.addSites(sites, now, () => ample)) !== 'added') throw new Error('not added')
  } finally {
    await store.close()
  }
  return sites.map(({ oxd_id }) => oxd_id)
}
