/** Setup clients are found by what an OP says of their tokens. */

/** Few sites are one: the others cost the index nothing. */
export const sql = `
CREATE INDEX setup_clients ON sites (realm, issuer, client ->> 'client_id')
  WHERE settings ->> 'setup_client' = 'self';
`
