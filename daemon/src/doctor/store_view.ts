/** What the database says, read by a process of its own: it may take long, be broken, or be huge. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { StoreErrorCode } from '../store/errors.js'

const run = promisify(execFile)

/** A site, without what is secret of it. */
export interface SiteView {
  /** What its operator calls it. */
  name?: string
  oxd_id: string
  realm: string
  op_host: string
  issuer: string
  redirect_uri: string
  registered_by: string
  client_secret_expires_at: number | undefined
  /** Whether its OP says who it is in its responses (RFC 9207), by its metadata as it is stored. */
  names_itself: boolean
  /** Where the platform keeps its client assertion. */
  client_assertion_file?: string
}

export interface Refusal {
  code: StoreErrorCode | 'system'
  message: string
}

export interface StoreView {
  /** There is none yet. */
  absent?: true
  /** Why nothing, or not all, could be looked at, through no fault of the database. */
  unseen?: string
  /** Why a daemon would not start with it. */
  refusal?: Refusal
  /** What is wrong with its keys. */
  key_refusal?: Refusal
  schema?: number
  /** What SQLite's quick_check said, if it did not say `ok`. */
  damage?: string
  sites: SiteView[]
}

const PROBE = fileURLToPath(new URL('store_probe.js', import.meta.url))

/** Sites of a large host take some space. */
const OUTPUT_BYTES = 256 * 1024 * 1024

export async function viewStore(
  database: string,
  key_file: string,
  signal: AbortSignal,
): Promise<StoreView> {
  try {
    const { stdout } = await run(process.execPath, [PROBE, database, key_file], {
      signal,
      killSignal: 'SIGKILL',
      maxBuffer: OUTPUT_BYTES,
    })
    return JSON.parse(stdout) as StoreView
  } catch (error) {
    if (signal.aborted) return { sites: [], unseen: 'it took too long to read' }
    const { signal: killed, code } = error as { signal?: string; code?: number | string }
    return { sites: [], damage: `the process that read it ended with ${killed ?? code}` }
  }
}
