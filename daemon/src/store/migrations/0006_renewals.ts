/** When registrations whose secret expires are to be renewed. */

/** Whole seconds of what may have been stored with a fraction. What was registered before is due in the last quarter of its secret's life, as `renewalOf` has it. */
export const sql = `
ALTER TABLE sites ADD COLUMN renew_at INTEGER;
UPDATE sites SET renew_at = (
  SELECT expires_at - MIN(MAX(life / 4, MIN(3600, life / 2)), 1209600) FROM (
    SELECT expires_at, MAX(0, expires_at - created_at) AS life
    FROM (SELECT CAST(json_extract(client, '$.client_secret_expires_at') AS INTEGER) AS expires_at)
  )
)
WHERE registered_by = 'relyd'
  AND json_type(client, '$.client_secret_expires_at') IN ('integer', 'real')
  AND json_extract(client, '$.client_secret_expires_at') BETWEEN 1 AND 9007199254740991;
CREATE INDEX sites_by_renewal ON sites (realm, renew_at) WHERE renew_at IS NOT NULL;
`
