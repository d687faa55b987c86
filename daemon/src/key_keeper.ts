/** Keeps a running daemon on the keys of its key file, and what it stored on the one that encrypts. */
import type { Log } from './log.js'
import { messageOf } from './store/errors.js'
import type { SqliteStore } from './store/sqlite.js'

const EVERY_MS = 2000

/** A daemon that adopted a key late and ended since has left rows behind; they are found then. */
const REPEAT_MS = 10 * 60 * 1000

export interface KeyKeeping {
  stop(): void
}

/** Begins at once, then looks at the key file every few seconds. */
export function keepKeys(store: SqliteStore, log: Log): KeyKeeping {
  const { keys } = store
  let due = true
  let next_walk = 0
  let running = false
  let stopped = false

  keys.onChange = (change) => {
    if ('refused' in change) {
      log.error(
        { error: change.refused },
        'the key file is not adopted; going on with the keys that were read before',
      )
      return
    }
    due = true
    log.info(
      { key_ids: change.adopted },
      'keys of the changed key file adopted; the first encrypts',
    )
  }

  async function tick(): Promise<void> {
    keys.look()
    if (running || keys.ids.length === 1) return
    if (!due && performance.now() < next_walk) return
    running = true
    const asked = due
    due = false
    next_walk = performance.now() + REPEAT_MS
    try {
      await reencrypt(store, log, asked, () => stopped || due)
    } catch (error) {
      log.error({ error: messageOf(error) }, 're-encryption failed, and is tried again later')
    } finally {
      running = false
    }
  }

  const timer = setInterval(tick, EVERY_MS).unref()
  void tick()
  return {
    stop() {
      stopped = true
      clearInterval(timer)
    },
  }
}

/** @param asked whether to tell the log also of a walk that found nothing to do */
async function reencrypt(
  { keys, resealer }: SqliteStore,
  log: Log,
  asked: boolean,
  ended: () => boolean,
): Promise<void> {
  const key_id = keys.current_id
  if (asked) log.info({ key_id, from: keys.ids.slice(1) }, 're-encryption begins')
  const result = await resealer.run(ended)
  if (!result) return
  const { moved, failed, first_failure } = result
  if (first_failure) {
    log.error({ rows: failed, first: first_failure.message }, 'rows that cannot be re-encrypted')
  }
  if (asked || Object.values(moved).some((rows) => rows > 0)) {
    log.info({ key_id, ...moved }, 're-encryption done')
  }
}
