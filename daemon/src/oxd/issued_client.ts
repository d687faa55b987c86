/** Clients that the OP's operator issued: the OP hears nothing of them, so that what relyd keeps is all there is to say. */
import { isDeepStrictEqual } from 'node:util'
import { CommandError } from '../errors.js'
import { isSecretMethod } from '../op/client_authentication.js'
import { checkMacKey } from '../op/client_credential.js'
import { metadataFields } from '../op/client_metadata.js'
import { refused } from '../refused.js'
import { changeRegistration } from '../registration_changes.js'
import type { Site } from '../store/store.js'
import type { Asked } from './as_far_as_offered.js'
import type { OxdContext } from './oxd_command.js'

/** Of a registration, what is of use. Clients send their whole cfg, and oxd never looked at the rest. */
export function wishesOfIssued(context: OxdContext, asked: Asked): Asked {
  const { token_endpoint_auth_method, ...others } = asked
  const { useful, idle } = sorted(others, {})
  tellOf(context, idle)
  return {
    ...useful,
    ...(token_endpoint_auth_method !== undefined && { token_endpoint_auth_method }),
  }
}

/**
 * Of an update, likewise.
 *
 * @throws CommandError `invalid_registration_client_url` where nothing at all would come of it
 */
export function changesOfIssued(
  context: OxdContext,
  { client }: Site,
  asked: Asked,
  secret: string | undefined,
): Asked {
  const { useful, idle } = sorted(asked, {
    response_types: ['code'],
    grant_types: ['authorization_code'],
    token_endpoint_auth_method: client.token_endpoint_auth_method,
  })
  const [name] = Object.keys(idle)
  if (name !== undefined && Object.keys(useful).length === 0 && secret === undefined) {
    const field = name === 'metadata' ? `metadata.${Object.keys(idle.metadata as object)[0]}` : name
    throw new CommandError(
      'invalid_registration_client_url',
      `${field} can be changed at the OP only, whose operator issued this client: have it changed there, and leave it out`,
      { details: { field } },
    )
  }
  tellOf(context, idle)
  return useful
}

/** @param known what is so anyway, and needs no telling */
function sorted(asked: Asked, known: Record<string, unknown>): { useful: Asked; idle: Asked } {
  const useful: Asked = {}
  const idle: Asked = {}
  for (const [name, value] of Object.entries(asked)) {
    if (!Object.hasOwn(metadataFields, name)) useful[name] = value
    else if (!isDeepStrictEqual(value, known[name])) idle[name] = value
  }
  return { useful, idle }
}

function tellOf({ log }: OxdContext, idle: Asked): void {
  const left_out = Object.keys(idle)
  if (left_out.length === 0) return
  log.warn({ left_out }, "nobody tells the OP of these: its operator issued the site's client")
}

/**
 * The secret that is to take the place of the one that relyd has. Of a client that relyd registered
 * none is: the cfgs of its site may have those of a setup client.
 *
 * @returns undefined where there is no other
 * @throws CommandError `invalid_request`
 */
export function newSecretOf(
  { client, secrets, registered_by }: Site,
  { client_id, client_secret }: { client_id?: string; client_secret?: string },
): string | undefined {
  if (registered_by === 'relyd') return undefined
  if (client_id !== undefined && client_id !== client.client_id) {
    throw refused('client_id', "is not that of the site's client; register a site with it instead")
  }
  if (client_secret === undefined || client_secret === secrets.client_secret) return undefined
  const { token_endpoint_auth_method: method = 'none', token_endpoint_auth_signing_alg: alg } =
    client
  if (!isSecretMethod(method)) {
    throw refused('client_secret', `is of no use: the site's client authenticates by ${method}`)
  }
  if (method === 'client_secret_jwt') checkMacKey(client_secret, alg ?? 'HS256')
  return client_secret
}

export async function takeOver(context: OxdContext, site: Site, client_secret: string) {
  await changeRegistration(context, site, (one) => ({
    ...one,
    secrets: { ...one.secrets, client_secret },
  }))
}
