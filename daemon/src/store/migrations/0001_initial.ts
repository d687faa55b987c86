/** The first schema. */

/** Makes every table. */
export const sql = `
-- 'rely' in ASCII, so that another program's database is not taken for relyd's.
PRAGMA application_id = 0x72656c79;

CREATE TABLE encryption_keys (
  key_id TEXT PRIMARY KEY NOT NULL,
  canary BLOB NOT NULL
) STRICT;

CREATE TABLE sites (
  oxd_id TEXT PRIMARY KEY NOT NULL,
  realm TEXT NOT NULL,
  op_host TEXT NOT NULL,
  issuer TEXT NOT NULL,
  redirect_uri TEXT NOT NULL,
  registered_by TEXT NOT NULL,
  client TEXT NOT NULL,
  settings TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  secrets BLOB NOT NULL
) STRICT;
CREATE INDEX sites_by_redirect_uri ON sites (redirect_uri, issuer);

CREATE TABLE registrations (
  realm TEXT NOT NULL,
  idempotency_hash BLOB NOT NULL,
  params_hash BLOB NOT NULL,
  oxd_id TEXT NOT NULL,
  lease_until INTEGER NOT NULL,
  finished INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (realm, idempotency_hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX registrations_by_site ON registrations (oxd_id);
CREATE INDEX registrations_unfinished ON registrations (lease_until) WHERE finished = 0;

-- States begin with their expiry: rows lie in the order in which they expire and need no index.
CREATE TABLE logins (
  state BLOB PRIMARY KEY NOT NULL,
  oxd_id TEXT NOT NULL,
  issuer TEXT NOT NULL,
  redirect_uri TEXT NOT NULL,
  binding_hash BLOB,
  max_age INTEGER,
  secrets BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
  session_key BLOB PRIMARY KEY NOT NULL,
  oxd_id TEXT NOT NULL,
  issuer TEXT NOT NULL,
  sub TEXT NOT NULL,
  sid TEXT,
  acr TEXT,
  amr TEXT,
  auth_time INTEGER,
  created_at INTEGER NOT NULL,
  access_token_hash BLOB NOT NULL,
  secrets BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_access_token ON sessions (oxd_id, access_token_hash);

CREATE TABLE op_documents (
  op_host TEXT PRIMARY KEY NOT NULL,
  metadata TEXT NOT NULL,
  jwks TEXT,
  fetched_at INTEGER NOT NULL
) STRICT;
`
