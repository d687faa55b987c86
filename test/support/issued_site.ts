/** Puts a site whose client an OP's operator issued into the store of a daemon that does not run. */
import { join } from 'node:path'
import type { Realm } from '../../daemon/src/context.js'
import { createLog } from '../../daemon/src/log.js'
import { createOpSide } from '../../daemon/src/op/op_side.js'
import { type IssuedSite, issuedSite } from '../../daemon/src/registrations.js'
import { openStore } from '../../daemon/src/store/open.js'
import type { Site } from '../../daemon/src/store/store.js'
import type { TestDaemon } from './daemon.js'
import { ample, amplePlaces } from './quotas.js'

const clock = () => Math.floor(Date.now() / 1000)

/** @returns the site, in the realm `default` */
export async function storeIssuedSite(
  daemon: TestDaemon,
  op_host: string,
  given: Pick<IssuedSite, 'client_id' | 'credential' | 'redirect_uris'>,
  allowed_hosts: string[] = [],
): Promise<Site> {
  const state = join(daemon.folder, 'state')
  const files = { database: join(state, 'store/relyd.db'), key_file: join(state, 'keys/store.key') }
  const { store } = await openStore(files)
  const op = createOpSide({
    realm: 'default',
    store,
    clock,
    log: createLog('silent'),
    timeout: 2,
    insecure_hosts: ['127.0.0.1'],
    allowed_hosts,
    places: amplePlaces,
    refresh_after: 3600,
  })
  try {
    const realm = { name: 'default' } as Realm
    const site = await issuedSite({ realm, clock, op }, op_host, {
      ...given,
      settings: { scope: ['openid', 'offline_access'], login_binding: 'none', tokens: 'site' },
    })
    const idempotency_hash = Buffer.from(site.oxd_id.replaceAll('-', '').padEnd(64, '0'), 'hex')
    const intent = {
      realm: 'default',
      idempotency_hash,
      params_hash: idempotency_hash,
      oxd_id: site.oxd_id,
      lease_until: clock() + 60,
    }
    await store.beginRegistration(intent, clock(), ample)
    await store.finishRegistration(site, idempotency_hash)
    return site
  } finally {
    await op.close()
    await store.close()
  }
}
