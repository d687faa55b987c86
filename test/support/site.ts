/** Sites and callbacks for tests that need many of them and no End-User. */
import type { Op } from '../../demosite/src/op.js'
import type { Wire } from './wire.js'

export const redirect_uri = 'http://site.example/callback'

/** Registers a site as a client that the OP's operator issued, which asks nothing of the OP. */
export async function registerIssued(
  wire: Wire,
  op: Pick<Op, 'issuer'>,
  idempotency_key?: string,
): Promise<string> {
  const { oxd_id } = await wire.ok('register_site', issuedSite(op, idempotency_key))
  return oxd_id
}

export function issuedSite(op: Pick<Op, 'issuer'>, idempotency_key?: string) {
  return {
    op_host: op.issuer,
    authorization_redirect_uri: redirect_uri,
    client_id: 'issued',
    client_secret: 'a secret that nobody uses',
    ...(idempotency_key !== undefined && { idempotency_key }),
  }
}

/**
 * The callback of an End-User who declined. It takes the login as any other does, and asks nothing
 * of the OP: taken, it answers `op_error`; taken before, `invalid_state`.
 */
export function declined(op: Pick<Op, 'issuer'>, state: string): string {
  return `${redirect_uri}?${new URLSearchParams({ error: 'access_denied', state, iss: op.issuer })}`
}
