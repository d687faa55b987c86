/** A store with sites, logins and sessions in a folder of its own, as a daemon leaves it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDatabase } from '../../daemon/src/store/database.js'
import { makeExpiringId } from '../../daemon/src/store/expiring_id.js'
import { openKept } from '../../daemon/src/store/kept_database.js'
import { makeKeyFile } from '../../daemon/src/store/key_file.js'
import { runMigrations } from '../../daemon/src/store/migrations/migrate.js'
import { openStore } from '../../daemon/src/store/open.js'
import { secretsCell } from '../../daemon/src/store/sealed_tables.js'
import type { SqliteStore } from '../../daemon/src/store/sqlite.js'
import { ample } from './quotas.js'

export const FAR = 4_000_000_000

export class Stored implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'relyd-stored-'))
  readonly database = join(this.folder, 'store', 'relyd.db')
  readonly key_file = join(this.folder, 'keys', 'store.key')

  /** Opens the store for this work alone. */
  async with<T>(work: (store: SqliteStore) => Promise<T>): Promise<T> {
    const { store } = await openStore(this)
    try {
      return await work(store)
    } finally {
      await store.close()
    }
  }

  /** Makes the database as an earlier relyd left it, with one site. */
  makeAtSchema(version: number, oxd_id: string): void {
    const keys = makeKeyFile(this.key_file)
    const { db } = openDatabase(this.database, 1)
    db.transaction(() => runMigrations(db, 0, version))()
    const secrets = keys.seal('{"client_secret":"of before"}', secretsCell('sites', oxd_id))
    db.prepare(
      `INSERT INTO sites (oxd_id, realm, op_host, issuer, redirect_uri, registered_by, client,
       settings, created_at, secrets) VALUES (?, 'default', 'https://op.example', 'https://op.example',
       'https://site.example/callback', 'relyd', '{"client_id":"client"}',
       '{"scope":["openid"],"login_binding":"required","tokens":"site"}', 1, ?)`,
    ).run(oxd_id, secrets)
    const canary = keys.seal('relyd', {
      table: 'encryption_keys',
      column: 'canary',
      row: keys.current_id,
    })
    db.prepare('INSERT INTO encryption_keys (key_id, canary) VALUES (?, ?)').run(
      keys.current_id,
      canary,
    )
    db.close()
  }

  /** Runs SQL on a database of the folder, behind relyd's back. */
  execute(sql: string, database = this.database): void {
    const db = openKept(database)
    db.exec(sql)
    db.close()
  }

  /** Reads a database of the folder, behind relyd's back. */
  read(sql: string, database = this.database): unknown[] {
    const db = openKept(database, { readonly: true })
    try {
      return db.prepare(sql).raw().all()
    } finally {
      db.close()
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** Registers a site that relyd knows of, and nobody else. */
export async function putSite(
  store: SqliteStore,
  oxd_id: string,
  { realm = 'default', op_host = 'https://op.example' } = {},
): Promise<void> {
  const idempotency_hash = Buffer.from(oxd_id)
  const intent = { realm, idempotency_hash, params_hash: Buffer.alloc(1), oxd_id }
  await store.beginRegistration({ ...intent, lease_until: FAR }, 1, ample)
  await store.finishRegistration(
    {
      oxd_id,
      realm,
      op_host,
      issuer: op_host,
      redirect_uri: 'https://site.example/callback',
      registered_by: 'relyd',
      client: { client_id: 'client' },
      settings: { scope: ['openid'], login_binding: 'required', tokens: 'site' },
      created_at: 1,
      secrets: { client_secret: `secret of ${oxd_id}` },
    },
    idempotency_hash,
  )
}

/** @returns the session's id */
export async function putSession(
  store: SqliteStore,
  oxd_id: string,
  expires_at = FAR,
): Promise<string> {
  const session_id = makeExpiringId(expires_at)
  await store.putSession({
    session_id,
    oxd_id,
    issuer: 'https://op.example',
    sub: 'alice',
    sid: null,
    acr: null,
    amr: null,
    auth_time: null,
    created_at: 1,
    access_token_hash: Buffer.alloc(32),
    secrets: { access_token: `of ${session_id}`, id_token: 'it', id_token_claims: {} },
  })
  return session_id
}
