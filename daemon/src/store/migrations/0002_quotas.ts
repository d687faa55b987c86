/** Counts what each site and realm keeps, and gives each realm its own copies of OPs' documents. */

/**
 * Triggers keep the counts, so that no statement, present or future, can forget to. `bytes` is the
 * length of the columns that somebody outside fills.
 */
export const sql = `
CREATE TABLE site_usage (
  oxd_id TEXT PRIMARY KEY NOT NULL,
  realm TEXT NOT NULL,
  logins INTEGER NOT NULL DEFAULT 0,
  sessions INTEGER NOT NULL DEFAULT 0,
  bytes INTEGER NOT NULL DEFAULT 0,
  -- The site is gone, and its sessions are being deleted in slices.
  removed INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX site_usage_removed ON site_usage (oxd_id) WHERE removed = 1;

CREATE TABLE realm_usage (
  realm TEXT PRIMARY KEY NOT NULL,
  sites INTEGER NOT NULL DEFAULT 0,
  logins INTEGER NOT NULL DEFAULT 0,
  sessions INTEGER NOT NULL DEFAULT 0,
  bytes INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE op_documents_of_realms (
  realm TEXT NOT NULL,
  op_host TEXT NOT NULL,
  -- In front of what is long, for the sweep that looks at nothing else.
  fetched_at INTEGER NOT NULL,
  metadata TEXT NOT NULL,
  jwks TEXT,
  PRIMARY KEY (realm, op_host)
) STRICT;
INSERT INTO op_documents_of_realms (realm, op_host, metadata, jwks, fetched_at)
  SELECT DISTINCT sites.realm, op_documents.* FROM op_documents JOIN sites USING (op_host);
DROP TABLE op_documents;
ALTER TABLE op_documents_of_realms RENAME TO op_documents;

DROP INDEX sites_by_redirect_uri;
CREATE INDEX sites_by_redirect_uri ON sites (realm, redirect_uri, issuer);
CREATE INDEX sites_by_op ON sites (realm, op_host);

INSERT INTO site_usage (oxd_id, realm, logins, sessions, bytes)
  SELECT oxd_id, realm, coalesce(l.rows, 0), coalesce(s.rows, 0),
    ${siteBytes('sites')} + coalesce(l.bytes, 0) + coalesce(s.bytes, 0)
  FROM sites
    LEFT JOIN (SELECT oxd_id, count(*) AS rows, sum(${loginBytes('logins')}) AS bytes
               FROM logins GROUP BY oxd_id) AS l USING (oxd_id)
    LEFT JOIN (SELECT oxd_id, count(*) AS rows, sum(${sessionBytes('sessions')}) AS bytes
               FROM sessions GROUP BY oxd_id) AS s USING (oxd_id);
INSERT INTO realm_usage (realm, sites, logins, sessions, bytes)
  SELECT realm, count(*), sum(logins), sum(sessions), sum(bytes) FROM site_usage GROUP BY realm;
UPDATE realm_usage SET bytes = bytes + (
  SELECT total(${documentBytes('op_documents')}) FROM op_documents
  WHERE op_documents.realm = realm_usage.realm
);

${counting('logins', 'logins', loginBytes)}
${counting('sessions', 'sessions', sessionBytes)}

CREATE TRIGGER sites_inserted AFTER INSERT ON sites BEGIN
  INSERT INTO site_usage (oxd_id, realm, bytes) VALUES (NEW.oxd_id, NEW.realm, ${siteBytes('NEW')});
  INSERT INTO realm_usage (realm, sites, bytes) VALUES (NEW.realm, 1, ${siteBytes('NEW')})
    ON CONFLICT (realm) DO UPDATE SET sites = sites + 1, bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER sites_updated AFTER UPDATE ON sites BEGIN
  UPDATE site_usage SET bytes = bytes + ${siteBytes('NEW')} - ${siteBytes('OLD')}
    WHERE oxd_id = NEW.oxd_id;
  UPDATE realm_usage SET bytes = bytes + ${siteBytes('NEW')} - ${siteBytes('OLD')}
    WHERE realm = NEW.realm;
END;
CREATE TRIGGER sites_deleted AFTER DELETE ON sites BEGIN
  UPDATE site_usage SET removed = 1, bytes = bytes - ${siteBytes('OLD')}
    WHERE oxd_id = OLD.oxd_id;
  UPDATE realm_usage SET sites = sites - 1, bytes = bytes - ${siteBytes('OLD')}
    WHERE realm = OLD.realm;
END;

CREATE TRIGGER op_documents_inserted AFTER INSERT ON op_documents BEGIN
  INSERT INTO realm_usage (realm, bytes) VALUES (NEW.realm, ${documentBytes('NEW')})
    ON CONFLICT (realm) DO UPDATE SET bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER op_documents_updated AFTER UPDATE ON op_documents BEGIN
  UPDATE realm_usage SET bytes = bytes + ${documentBytes('NEW')} - ${documentBytes('OLD')}
    WHERE realm = NEW.realm;
END;
CREATE TRIGGER op_documents_deleted AFTER DELETE ON op_documents BEGIN
  UPDATE realm_usage SET bytes = bytes - ${documentBytes('OLD')} WHERE realm = OLD.realm;
END;
`

/** The statements by which a trigger counts what a row has become, and no more rows. */
export function recounting(bytesOf: (row: string) => string): string {
  return change('NEW', '', `+ ${bytesOf('NEW')} - ${bytesOf('OLD')}`)
}

function change(row: 'NEW' | 'OLD', count: string, bytes: string): string {
  return `
  UPDATE site_usage SET ${count} bytes = bytes ${bytes} WHERE oxd_id = ${row}.oxd_id;
  UPDATE realm_usage SET ${count} bytes = bytes ${bytes}
    WHERE realm = (SELECT realm FROM site_usage WHERE oxd_id = ${row}.oxd_id);`
}

/** Triggers that count the rows of a table whose rows belong to sites, and their bytes. */
function counting(table: string, column: string, bytesOf: (row: string) => string): string {
  return `
CREATE TRIGGER ${table}_inserted AFTER INSERT ON ${table} BEGIN
  ${change('NEW', `${column} = ${column} + 1,`, `+ ${bytesOf('NEW')}`)}
END;
CREATE TRIGGER ${table}_deleted AFTER DELETE ON ${table} BEGIN
  ${change('OLD', `${column} = ${column} - 1,`, `- ${bytesOf('OLD')}`)}
END;
CREATE TRIGGER ${table}_updated AFTER UPDATE ON ${table} BEGIN
  ${recounting(bytesOf)}
END;`
}

function siteBytes(row: string): string {
  return `(octet_length(${row}.client) + octet_length(${row}.settings) + octet_length(${row}.secrets))`
}

function loginBytes(row: string): string {
  return `(octet_length(${row}.redirect_uri) + octet_length(${row}.secrets))`
}

export function sessionBytes(row: string): string {
  return `(octet_length(${row}.sub) + octet_length(${row}.secrets))`
}

function documentBytes(row: string): string {
  return `(octet_length(${row}.metadata) + coalesce(octet_length(${row}.jwks), 0))`
}
