/** An update that somebody else was faster than. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ample } from '../../../test/support/quotas.js'
import { CommandError, type ErrorCode } from '../errors.js'
import { createLog } from '../log.js'
import { SiteCache } from '../sites.js'
import { openStore } from '../store/open.js'
import type { SqliteStore } from '../store/sqlite.js'
import type { AdminContext } from './admin_command.js'
import { update_site } from './commands/update_site.js'

const NOW = 1_800_000_000
let folder: string
let store: SqliteStore

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'relyd-update-'))
  store = (await openStore({ database: join(folder, 'db/db'), key_file: join(folder, 'key') }))
    .store
  const site = {
    oxd_id: 'site-1',
    realm: 'shop',
    op_host: 'https://op.example',
    issuer: 'https://op.example',
    redirect_uri: 'https://site.example/callback',
    registered_by: 'operator' as const,
    client: { client_id: 'client' },
    settings: { scope: ['openid'], login_binding: 'required' as const, tokens: 'site' as const },
    created_at: NOW,
    secrets: {},
    name: 'shop',
  }
  await store.addSites([site], NOW, () => ample)
})

afterEach(async () => {
  await store.close()
  rmSync(folder, { recursive: true })
})

function update(params: object) {
  const context = {
    store,
    sites: new SiteCache(store),
    clock: () => NOW,
    log: createLog('silent'),
    refuse(code: ErrorCode, description: string): never {
      throw new CommandError(code, description)
    },
  } as unknown as AdminContext<ErrorCode>
  return update_site.run(context, { site: 'shop', ...params })
}

/** Lets something happen once the command has read the site. */
function afterReading(happens: () => Promise<unknown>): void {
  const { getSite } = store
  store.getSite = async (...given) => {
    store.getSite = getSite
    const site = await store.getSite(...given)
    await happens()
    return site
  }
}

test('is told so, and has undone nothing of it', async () => {
  afterReading(() => update({ scope: ['openid', 'email'] }))
  await expect(update({ client_name: 'Shop' })).rejects.toMatchObject({
    code: 'site_changed',
    retryable: true,
  })
  expect((await store.getSite('site-1', 'shop'))?.settings).toEqual({
    scope: ['openid', 'email'],
    login_binding: 'required',
    tokens: 'site',
  })
  expect(await update({ client_name: 'Shop' })).toMatchObject({ client_name: 'Shop' })
})

test('is told so when the site was removed', async () => {
  afterReading(() => store.removeSite('site-1'))
  await expect(update({ client_name: 'Shop' })).rejects.toMatchObject({ code: 'site_changed' })
})
