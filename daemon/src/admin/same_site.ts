/** Whether a site is what the operator asks for, so that asking again is no error. */
import { isDeepStrictEqual } from 'node:util'
import { sameDigest, sha256 } from '../digest.js'
import { CommandError } from '../errors.js'
import type { Site } from '../store/store.js'

/** What is compared; of a client that relyd registered, what the OP answered is not. */
const compared: Record<string, (stored: Site, wanted: Site) => boolean> = {
  op_host: (stored, wanted) => stored.op_host === wanted.op_host,
  client_id: (stored, wanted) => stored.client.client_id === wanted.client.client_id,
  redirect_uris: (stored, wanted) =>
    isDeepStrictEqual(
      [stored.redirect_uri, stored.client['redirect_uris']],
      [wanted.redirect_uri, wanted.client['redirect_uris']],
    ),
  credentials: (stored, wanted) =>
    isDeepStrictEqual(publicOf(stored), publicOf(wanted)) &&
    sameDigest(digestOf(stored.secrets), digestOf(wanted.secrets)),
  settings: (stored, wanted) => isDeepStrictEqual(stored.settings, wanted.settings),
}

/** @throws CommandError `site_exists`, naming what differs and never how */
export function checkSame(stored: Site, wanted: Site, names = Object.keys(compared)): void {
  const different = names.filter((name) => !compared[name]?.(stored, wanted))
  if (stored.registered_by !== wanted.registered_by) different.push('registered_by')
  if (different.length === 0) return
  throw new CommandError(
    'site_exists',
    `the realm ${stored.realm} has a site ${stored.name} already, with another ${different.join(', ')}; change it with \`relyd sites update\`, or remove it first`,
    { details: { field: 'name', differs: different } },
  )
}

function publicOf({ client }: Site): object {
  const { redirect_uris: _, client_id: __, ...rest } = client
  return rest
}

function digestOf(secrets: Site['secrets']): Buffer {
  const sorted = Object.entries(secrets).sort(([one], [other]) => (one < other ? -1 : 1))
  return sha256(JSON.stringify(sorted))
}
