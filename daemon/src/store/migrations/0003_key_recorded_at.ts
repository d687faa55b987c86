/** When a key began to encrypt, so that it is known when no daemon uses the one before any more. */

/** Of keys that were recorded before, the migration's time: later than the truth, never earlier. */
export const sql = `
ALTER TABLE encryption_keys ADD COLUMN recorded_at INTEGER NOT NULL DEFAULT 0;
UPDATE encryption_keys SET recorded_at = unixepoch();
`
