/** By which a login is found whose site does not know its state. */

/** Logins that are bound to a browser are not looked for so, and have no part in its cost. */
export const sql = `
CREATE INDEX logins_unbound ON logins (oxd_id, state) WHERE binding_hash IS NULL;
`
