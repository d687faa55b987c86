/** What a website without relyd keeps of its logins: SQLite, durable, a commit for each statement. */
import Database from 'better-sqlite3'

export interface PendingLogin {
  nonce: string
  code_verifier: string
}

export interface WebsiteStore {
  putLogin(state: string, login: PendingLogin): void
  /** Deletes and returns it in one statement, so that a callback succeeds once. */
  takeLogin(state: string): PendingLogin | undefined
  putSession(session_id: string, sub: string, tokens: string): void
  close(): void
}

export function openWebsiteStore(path: string): WebsiteStore {
  const db = new Database(path)
  db.pragma('journal_mode = WAL')
  db.pragma('synchronous = FULL')
  db.exec(`
    CREATE TABLE logins (
      state TEXT PRIMARY KEY, nonce TEXT, code_verifier TEXT, created_at INTEGER
    ) WITHOUT ROWID;
    CREATE TABLE sessions (
      session_id TEXT PRIMARY KEY, sub TEXT, tokens TEXT, created_at INTEGER
    ) WITHOUT ROWID;
  `)
  const putLogin = db.prepare('INSERT INTO logins VALUES (?, ?, ?, ?)')
  const takeLogin = db.prepare<[string], PendingLogin>(
    'DELETE FROM logins WHERE state = ? RETURNING nonce, code_verifier',
  )
  const putSession = db.prepare('INSERT INTO sessions VALUES (?, ?, ?, ?)')
  return {
    putLogin(state, { nonce, code_verifier }) {
      putLogin.run(state, nonce, code_verifier, Date.now())
    },
    takeLogin: (state) => takeLogin.get(state),
    putSession(session_id, sub, tokens) {
      putSession.run(session_id, sub, tokens, Date.now())
    },
    close: () => db.close(),
  }
}
