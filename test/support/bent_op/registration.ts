/** Dynamic registration at a bent OP, and its management (RFC 7591, 7592). */
import { json } from './answers.js'
import { checkMetadata, needsSecret } from './client_metadata.js'
import type { Inside } from './inside.js'
import { randomText } from './jws.js'
import { badToken, bearerOf, Refusal, refusal } from './refusal.js'
import type { Answer, Asked, BentClient, Members } from './types.js'

/** RFC 7592 2.2: what an update must not carry. */
const READ_ONLY = [
  'registration_access_token',
  'registration_client_uri',
  'client_secret_expires_at',
  'client_id_issued_at',
]

/** RFC 7591 3. */
export function register(inside: Inside, asked: Asked): Answer {
  const { face, options } = inside
  if (asked.method !== 'POST') throw refusal('invalid_request', 'not a POST', 405)
  if (options.protected_registration && !mayRegister(inside, asked)) throw new Refusal(badToken())
  const wishes = readMetadata(asked)
  const client_id = `client-${randomText(6)}`
  const checked = checkMetadata(inside, wishes)
  const client = face.addClient({
    ...checked,
    client_id,
    ...(needsSecret(checked) && newSecret(inside)),
  } as BentClient)
  return json(describe(inside, client), 201)
}

/** RFC 7591 3: with an initial access token, of the operator or of its own token endpoint. */
function mayRegister({ face, active }: Inside, { headers }: Asked): boolean {
  const token = bearerOf(headers.authorization) ?? ''
  const granted = active.get(token)
  return face.initial_access_tokens.has(token) || granted?.scope.split(' ').includes('dcr') === true
}

/** RFC 7592 2: reads, replaces or removes a registration. */
export function manage(inside: Inside, asked: Asked): Answer {
  const { face, registration_tokens } = inside
  const client_id = decodeURIComponent(asked.url.split('/').pop() as string)
  const token = registration_tokens.get(client_id)
  const client = face.clients.get(client_id)
  if (token === undefined || !client || asked.headers.authorization !== `Bearer ${token}`) {
    return badToken()
  }
  switch (asked.method) {
    case 'GET':
      return json(describe(inside, client))
    case 'PUT':
      return json(describe(inside, replace(inside, client, readMetadata(asked))))
    case 'DELETE':
      registration_tokens.delete(client_id)
      face.clients.delete(client_id)
      return { status: 204, headers: {}, body: '' }
    default:
      return json({ error: 'invalid_request' }, 405)
  }
}

/** RFC 7592 2.2: the whole of it, so that what is left out is gone. */
function replace(inside: Inside, client: BentClient, wishes: Members): BentClient {
  const { face } = inside
  const wrong = (what: string) => refusal('invalid_client_metadata', what)
  for (const name of READ_ONLY) if (name in wishes) throw wrong(`${name} in an update`)
  const { client_id, client_secret, ...rest } = wishes
  if (client_id !== client.client_id) throw wrong('another client_id')
  if (client_secret !== undefined && client_secret !== client.client_secret) {
    throw wrong('another client_secret')
  }
  const checked = checkMetadata(inside, rest)
  const { client_secret: kept, client_secret_expires_at } = client
  const is_new = face.renews_secrets || kept === undefined
  return face.addClient({
    ...checked,
    client_id: client.client_id,
    ...(needsSecret(checked) &&
      (is_new ? newSecret(inside) : { client_secret: kept, client_secret_expires_at })),
  } as BentClient)
}

function newSecret({ face }: Inside) {
  const { client_secret_lifetime: lifetime } = face
  return {
    client_secret: randomText(32),
    client_secret_expires_at: lifetime === 0 ? 0 : Math.floor(Date.now() / 1000) + lifetime,
  }
}

/** RFC 7591 3.2.1, RFC 7592 3: with a new registration access token, if this OP changes it. */
function describe(inside: Inside, client: BentClient): Members {
  const { face, registration_tokens } = inside
  const { client_id } = client
  const known = registration_tokens.get(client_id)
  const is_new = known === undefined || face.rotates_registration_tokens
  const registration_access_token = is_new ? inside.secret() : known
  registration_tokens.set(client_id, registration_access_token)
  return {
    ...client,
    registration_access_token,
    registration_client_uri: `${inside.address('client')}/${encodeURIComponent(client_id)}`,
  }
}

function readMetadata({ headers, body }: Asked): Members {
  if (!headers['content-type']?.startsWith('application/json')) {
    throw refusal('invalid_client_metadata', 'not application/json')
  }
  const wishes: unknown = JSON.parse(body)
  if (typeof wishes !== 'object' || wishes === null || Array.isArray(wishes)) {
    throw refusal('invalid_client_metadata', 'no object')
  }
  return wishes as Members
}
