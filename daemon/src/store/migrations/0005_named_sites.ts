/** Sites that the operator named, and what tells that a site was changed since it was read. */

/** The index begins with the name, so that one is found without its realm. */
export const sql = `
ALTER TABLE sites ADD COLUMN name TEXT;
ALTER TABLE sites ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE sites ADD COLUMN updated_at INTEGER;
CREATE UNIQUE INDEX sites_by_name ON sites (name, realm) WHERE name IS NOT NULL;
`
