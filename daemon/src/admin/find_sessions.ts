/** Looks through the sessions of all sites for those that the operator means. */
import { setImmediate } from 'node:timers/promises'
import { CommandError } from '../errors.js'
import { refOf } from '../store/expiring_id.js'
import { bytesOf } from '../store/slice.js'
import type { ListedSession } from '../store/store.js'
import type { AdminServices } from './admin_command.js'
import { PAGE_BYTES } from './shown_in_part.js'

/** Rows that are read in a turn: about a millisecond's work. */
const SLICE = { rows: 500, bytes: 512 * 1024 }

/** Turns of one call; whoever asks goes on from there. */
const SLICES = 20

/** Which sessions are meant: those that fit all that is given. */
export interface SessionFilter {
  session_ref?: string | undefined
  /** A site's. */
  oxd_id?: string | undefined
  realm?: string | undefined
  issuer?: string | undefined
  sub?: string | undefined
}

export interface FoundSessions {
  sessions: ListedSession[]
  /** Where the next call begins; undefined at the end. */
  next: string | undefined
}

/**
 * Sessions that expire last come first: where all live equally long, the newest. What is made
 * after the first call is not found by those that go on from it.
 *
 * @param after `next` of the call before
 * @param most so many are found, or so few as are long already, or a bounded number of others seen
 */
export async function findSessions(
  { store, clock }: Pick<AdminServices, 'store' | 'clock'>,
  filter: SessionFilter,
  after: string | undefined,
  most: number,
): Promise<FoundSessions> {
  let below = after === undefined ? undefined : readCursor(after)
  const sessions: ListedSession[] = []
  let bytes = 0
  for (let slice = 0; slice < SLICES; slice += 1) {
    const { rows, more } = await store.listSessions(below, clock(), SLICE)
    for (const row of rows) {
      below = row.session_key
      if (!fits(row, filter)) continue
      sessions.push(row)
      bytes += bytesOf(row)
      if (sessions.length === most || bytes >= PAGE_BYTES) {
        return { sessions, next: below.toString('base64url') }
      }
    }
    if (!more) return { sessions, next: undefined }
    // Others' turn.
    await setImmediate()
  }
  return { sessions, next: below?.toString('base64url') }
}

function fits(session: ListedSession, filter: SessionFilter): boolean {
  const { session_ref, oxd_id, realm, issuer, sub } = filter
  return (
    (oxd_id === undefined || session.oxd_id === oxd_id) &&
    (sub === undefined || session.sub === sub) &&
    (issuer === undefined || session.issuer === issuer) &&
    (realm === undefined || session.realm === realm) &&
    (session_ref === undefined || refOf(session.session_key) === session_ref)
  )
}

function readCursor(after: string): Buffer {
  const key = Buffer.from(after, 'base64url')
  if (key.length === 24 && key.toString('base64url') === after) return key
  throw new CommandError('invalid_request', 'after is not the `next` of a page before', {
    details: { field: 'after' },
  })
}
