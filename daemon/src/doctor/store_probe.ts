/**
 * A process of its own that reads the database for the doctor, and never writes: arguments are the
 * database and the key file, the answer is a StoreView as JSON.
 */
import { existsSync, readFileSync, statSync } from 'node:fs'
import type Database from 'better-sqlite3'
import { asOwnerOf } from '../as_owner.js'
import { namesItself } from '../op/arrival.js'
import { messageOf, StoreError } from '../store/errors.js'
import { openKept } from '../store/kept_database.js'
import { readKeyFile } from '../store/key_file.js'
import { KeyRecord } from '../store/key_record.js'
import {
  refuseForeignDatabase,
  SCHEMA_VERSION,
  schemaVersion,
} from '../store/migrations/migrate.js'
import { rowsByKey } from '../store/sealed_tables.js'
import type { Refusal, SiteView, StoreView } from './store_view.js'

/** What is read into memory at most, where the file must not be opened in place. */
const LARGEST = 512 * 1024 * 1024

/** Where the header of a database says that it has a WAL: 2 in both, and 1 without. */
const WAL_BYTES = [18, 19]

/** Milliseconds that a writing daemon may hold us up. */
const BUSY_MS = 3000

/** Root reads beside others' logs only as they could themselves. */
function viewAsOwner(path: string, key_file: string): StoreView {
  try {
    return asOwnerOf(path, () => view(path, key_file))
  } catch (error) {
    return { sites: [], unseen: messageOf(error) }
  }
}

function view(path: string, key_file: string): StoreView {
  const seen: StoreView = { sites: [] }
  if (!existsSync(path)) return { ...seen, absent: true }
  let db: Database.Database | undefined
  try {
    const opened = open(path)
    if (typeof opened === 'string') return { ...seen, unseen: opened }
    db = opened
    refuseForeignDatabase(db)
    const damage = String(db.pragma('quick_check(1)', { simple: true }))
    if (damage !== 'ok') return { ...seen, damage }
    seen.schema = schemaVersion(db)
    if (seen.schema === 0) return seen
    seen.sites = sitesOf(db, seen.schema)
    // An older schema may not record yet what is asked here; the daemon brings it up to date.
    if (seen.schema === SCHEMA_VERSION) requireKeys(db, key_file)
    return seen
  } catch (error) {
    const refusal = refusalOf(error)
    if (/^SQLITE_(CORRUPT|NOTADB)/.test(String((error as { code?: unknown }).code))) {
      return { ...seen, damage: refusal.message }
    }
    if (/^key_|^wrong_key/.test(refusal.code)) return { ...seen, key_refusal: refusal }
    return { ...seen, refusal }
  } finally {
    db?.close()
  }
}

/**
 * SQLite makes `-wal` and `-shm` beside what it opens, even to read. Where they are, a daemon runs or
 * was killed, and nothing new is made; where there is no WAL, the file is all there is, and a copy
 * in memory will do.
 *
 * @returns why it could not be opened so
 */
function open(path: string): Database.Database | string {
  const wal = statSync(`${path}-wal`, { throwIfNoEntry: false })?.size
  if (wal !== undefined && existsSync(`${path}-shm`)) {
    return openKept(path, { readonly: true, fileMustExist: true, timeout: BUSY_MS })
  }
  if (wal) return 'it was copied or cut short without its -shm file'
  const { size } = statSync(path)
  if (size > LARGEST) return 'it is too large to be read whole while no daemon has it open'
  const bytes = readFileSync(path)
  if (bytes[18] === 2) for (const at of WAL_BYTES) bytes[at] = 1
  return openKept(bytes, { readonly: true })
}

function requireKeys(db: Database.Database, key_file: string): void {
  const keys = asOwnerOf(key_file, () => readKeyFile(key_file))
  const record = new KeyRecord(db)
  const recorded = record.all()
  if (!keys) {
    if (recorded.length === 0) return
    const key_ids = recorded.map(({ key_id }) => key_id)
    throw record.missing(key_ids, key_file, `there is no key file ${key_file}`)
  }
  const rows = rowsByKey(db)
  // A key that is gone and that no row needs is forgotten at the next start, once another is right.
  const needed = recorded.filter(({ key_id }) => keys.has(key_id) || rows.has(key_id))
  record.requireAll(keys, key_file, needed.length > 0 ? needed : recorded)
}

interface SiteRow {
  /** Not in older schemas. */
  name?: string | null
  oxd_id: string
  realm: string
  op_host: string
  issuer: string
  redirect_uri: string
  registered_by: string
  client: string
}

/** By realm and OP; a schema before realms had their own knows none. */
function opsThatNameThemselves(db: Database.Database, schema: number): Set<string> {
  if (schema !== SCHEMA_VERSION) return new Set()
  const rows = db.prepare<[], { realm: string; op_host: string; metadata: string }>(
    'SELECT realm, op_host, metadata FROM op_documents',
  )
  const named = rows.all().filter(({ metadata }) => namesItself({ metadata: JSON.parse(metadata) }))
  return new Set(named.map(({ realm, op_host }) => `${realm} ${op_host}`))
}

function sitesOf(db: Database.Database, schema: number): SiteView[] {
  const named = opsThatNameThemselves(db, schema)
  const rows = db.prepare<[], SiteRow>('SELECT * FROM sites')
  return rows.all().map(({ name, oxd_id, realm, op_host, issuer, redirect_uri, ...row }) => {
    const { client_secret_expires_at, client_assertion_file: file } = JSON.parse(
      row.client,
    ) as Record<string, unknown>
    return {
      ...(name && { name }),
      oxd_id,
      realm,
      op_host,
      issuer,
      redirect_uri,
      registered_by: row.registered_by,
      names_itself: named.has(`${realm} ${op_host}`),
      // What an OP answers cannot say so.
      ...(row.registered_by === 'operator' &&
        typeof file === 'string' && { client_assertion_file: file }),
      client_secret_expires_at:
        typeof client_secret_expires_at === 'number' ? client_secret_expires_at : undefined,
    }
  })
}

function refusalOf(error: unknown): Refusal {
  return {
    code: error instanceof StoreError ? error.code : 'system',
    message: messageOf(error),
  }
}

const [database = '', key_file = ''] = process.argv.slice(2)
process.stdout.write(JSON.stringify(viewAsOwner(database, key_file)))
