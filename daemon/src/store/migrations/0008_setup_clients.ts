/** Setup clients are found by what an OP says of their tokens, and by what their websites were told. */

/** Few sites are one: the others cost the index nothing. */
export const sql = `
CREATE INDEX setup_clients ON sites (realm, issuer, client ->> 'client_id')
  WHERE settings ->> 'setup_client' = 'self';
CREATE INDEX setup_clients_by_age ON sites (realm, issuer, registered_by DESC, created_at, oxd_id)
  WHERE settings ->> 'setup_client' = 'self';
CREATE INDEX told_setup_clients ON sites (realm, issuer, settings ->> 'told_client_id')
  WHERE settings ->> 'setup_client' = 'self';
`
