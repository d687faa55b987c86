/** Sessions that nobody logged in for, put into the store of a daemon at work. */
import { loadConfig } from '../../daemon/src/config/load.js'
import { hashToken } from '../../daemon/src/sessions.js'
import { makeExpiringId } from '../../daemon/src/store/expiring_id.js'
import { openStore } from '../../daemon/src/store/open.js'
import type { SessionSecrets } from '../../daemon/src/store/store.js'
import type { TestDaemon } from './daemon.js'

export interface Seed {
  oxd_id: string
  issuer: string
  sub: string
  amr?: string[]
  secrets?: Partial<SessionSecrets>
}

/** @returns the session_ids, in the order of the seeds */
export async function seedSessions(daemon: TestDaemon, seeds: readonly Seed[]): Promise<string[]> {
  const { store } = await openStore(loadConfig(daemon.config).daemon)
  const now = Math.floor(Date.now() / 1000)
  try {
    return await Promise.all(
      seeds.map(async ({ secrets, ...seed }) => {
        const session_id = makeExpiringId(now + 3600)
        await store.putSession({
          amr: null,
          ...seed,
          session_id,
          sid: null,
          acr: null,
          auth_time: null,
          created_at: now,
          access_token_hash: hashToken(session_id),
          secrets: { id_token: 'id token', id_token_claims: {}, ...secrets },
        })
        return session_id
      }),
    )
  } finally {
    await store.close()
  }
}
