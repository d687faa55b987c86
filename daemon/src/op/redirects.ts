/** Where a redirect may lead, for the few documents whose specification lets a host redirect. */
import { bounded, CommandError } from '../errors.js'
import type { AddressPolicy } from './address_policy.js'

const MOST = 3

/** RFC 9110 15.4: those that say where a GET is answered instead. */
const STATUSES = [301, 302, 303, 307, 308]

/**
 * The address that an answer sends us to: https as the first one. The address policy judges it as any
 * other when it is called.
 *
 * @param followed how many redirects led to this answer
 * @returns undefined for an answer that is no redirect
 * @throws CommandError `invalid_op_response` for one that is not followed
 */
export function redirectTarget(
  policy: Pick<AddressPolicy, 'isSecure' | 'isOwn'>,
  from: URL,
  { status, headers }: Pick<Response, 'status' | 'headers'>,
  followed: number,
): URL | undefined {
  if (!STATUSES.includes(status)) return undefined
  const refusal = (why: string) =>
    new CommandError('invalid_op_response', `${from.host} redirects ${why}`, {
      details: { host: from.host, http_status: status },
    })
  if (followed >= MOST) throw refusal(`further than ${MOST} times`)
  const location = headers.get('location') ?? ''
  if (location === '' || !URL.canParse(location, from.href)) throw refusal('nowhere')
  const to = new URL(location, from)
  // RFC 7033 4.2: only to https.
  if (!policy.isSecure(to)) throw refusal(`to ${bounded(to.origin)}, which is not https`)
  if (to.username || to.password) throw refusal('to an address with a user')
  // A stranger chooses no path at a host that may be called only because the operator named it.
  if (policy.isOwn(to) && !policy.isOwn(from) && to.pathname !== from.pathname) {
    throw refusal(`to another path of ${bounded(to.host)}`)
  }
  to.hash = ''
  return to
}
