/**
 * Opens better-sqlite3's Database so that nothing of it is ever given to the garbage collector.
 *
 * Seen with better-sqlite3 12.11.1 on Node 24.21: collecting a Database or a Statement can end the
 * process with `Assertion failed: (env) != nullptr` in `RemoveEnvironmentCleanupHook`. Version 13
 * does not support Node 20. A daemon opens its database once and prepares its statements once, so
 * keeping them costs nothing.
 */
import Database from 'better-sqlite3'

const kept = new Set<object>()

function keep<T extends object>(one: T): T {
  kept.add(one)
  return one
}

// Loads SQLite at once, from wherever it lies: as_owner.ts may lend this process to a user who may not read there.
keep(new Database(':memory:')).close()

/** @throws SqliteError as `new Database` does */
export function openKept(path: string | Buffer, options?: Database.Options): Database.Database {
  const db = keep(new Database(path, options))
  const prepare = db.prepare.bind(db)
  const own: Pick<Database.Database, 'prepare' | 'pragma'> = {
    prepare: ((source: string) => keep(prepare(source))) as Database.Database['prepare'],
    // better-sqlite3's own prepares a statement that nobody could keep.
    pragma(source, { simple = false } = {}) {
      const statement = db.prepare(`PRAGMA ${source}`)
      if (!statement.reader) return statement.run()
      return simple ? statement.pluck().get() : statement.all()
    },
  }
  return Object.assign(db, own)
}
