/** What a refresh of tokens needs: sessions found by their refresh token, and a lease for who refreshes. */

import { recounting, sessionBytes } from './0002_quotas.js'

/**
 * A refresh token that was stored before is sealed, so that its hash is learned at its first refresh.
 *
 * `earlier_tokens` remembers for a minute what a refresh replaced, and for longer what it brought
 * beside. It is not counted: a row there is the price of a call to an OP, and goes soon.
 *
 * Who takes or gives back a lease changes no bytes that are counted.
 */
export const sql = `
ALTER TABLE sessions ADD COLUMN refresh_token_hash BLOB;
ALTER TABLE sessions ADD COLUMN lease_token BLOB;
ALTER TABLE sessions ADD COLUMN lease_until INTEGER;
CREATE INDEX sessions_by_refresh_token ON sessions (oxd_id, refresh_token_hash)
  WHERE refresh_token_hash IS NOT NULL;

CREATE TABLE earlier_tokens (
  oxd_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  token_hash BLOB NOT NULL,
  session_key BLOB NOT NULL,
  forget_at INTEGER NOT NULL,
  PRIMARY KEY (oxd_id, kind, token_hash)
) STRICT, WITHOUT ROWID;
DROP TRIGGER sessions_updated;
CREATE TRIGGER sessions_updated AFTER UPDATE OF sub, secrets ON sessions BEGIN
  ${recounting(sessionBytes)}
END;
CREATE INDEX earlier_tokens_forgotten ON earlier_tokens (forget_at);
`
