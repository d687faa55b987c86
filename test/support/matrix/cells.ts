/** What is combined with what: the cells of the matrix, from an OP's own metadata. */
import type { Offer } from './op.js'
import { coveringRows, type Design, type Row } from './pairwise.js'

/** Stands where a dimension has no part in a login. */
export const NONE = '–'

/** What a site registers and how it logs in. */
export interface Cell {
  /** Its number and {@link columns}. */
  name: string
  number: number
  row: Row
  response_type: string
  response_mode: string
  /** Of `register_site`, beside where it is registered. */
  wishes: Record<string, string>
}

/** What relyd refuses, though the OP offers it. */
export const refused = [
  {
    offered: 'response_types_supported',
    value: 'none',
    field: 'response_type',
    reason: 'tells the site nothing of who logged in (OAuth Response Types 4)',
  },
] as const

/** What nobody may put together. */
export const impossible = [
  'a query that carries tokens (OAuth Response Types 5): `query` goes with `code` alone',
  'client authentication where no code is redeemed (`id_token`, `id_token token`)',
  'UserInfo where there is no access token (`id_token`)',
  'an encryption of content without one of its key',
  'UserInfo that is encrypted and not signed: this OP wants both',
]

export function designOf(offer: Offer): Design {
  const is_refused = (type: string) => refused.some(({ value }) => value === type)
  return {
    dimensions: {
      'client authentication': [...offer.token_endpoint_auth_methods_supported, NONE],
      signed: offer.id_token_signing_alg_values_supported,
      encrypted: [NONE, ...offer.id_token_encryption_alg_values_supported],
      content: [NONE, ...offer.id_token_encryption_enc_values_supported],
      'response type': offer.response_types_supported
        .map(usualName)
        .filter((type) => !is_refused(type)),
      'response mode': offer.response_modes_supported,
      UserInfo: ['plain', 'signed', 'nested', NONE],
    },
    allows: (row) => {
      const type = row['response type']
      /** Undefined, as long as nothing is chosen. */
      const has = (name: string) => row[name] && row[name] !== NONE
      return (
        (type === undefined || type === 'code' || row['response mode'] !== 'query') &&
        agree(has('client authentication'), type?.includes('code')) &&
        agree(has('UserInfo'), type && type !== 'id_token') &&
        agree(has('encrypted'), has('content'))
      )
    },
  }
}

/** Whether two things are both so or both not, or one of them is not known yet. */
function agree(one: unknown, other: unknown): boolean {
  return one === undefined || other === undefined || Boolean(one) === Boolean(other)
}

/** OAuth Response Types 3: the order means nothing; as OIDC Core writes them. */
function usualName(type: string): string {
  return ['code', 'id_token', 'token', 'none']
    .filter((word) => type.split(' ').includes(word))
    .join(' ')
}

export function cellsOf(offer: Offer): Cell[] {
  const assertions = offer.token_endpoint_auth_signing_alg_values_supported
  // What no dimension needs of its own is gone through in turn, so that each value is had.
  const turn = {
    client_secret_jwt: inTurn(assertions.filter((alg) => alg.startsWith('HS'))),
    // RSA keys take long to make: one for each algorithm will do.
    private_key_jwt: inTurn(
      assertions.filter((alg) => !alg.startsWith('HS')),
      assertions.filter((alg) => /^E[Sd]/.test(alg)),
    ),
    signed: inTurn(offer.userinfo_signing_alg_values_supported),
    encrypted: inTurn(offer.userinfo_encryption_alg_values_supported),
    content: inTurn(offer.userinfo_encryption_enc_values_supported),
  }
  return coveringRows(designOf(offer)).map((row, index) => {
    const auth = row['client authentication'] as string
    const response_type = row['response type'] as string
    const response_mode = row['response mode'] as string
    const userinfo = row['UserInfo'] as string
    const is_encrypted = userinfo === 'nested'
    const is_signed = userinfo === 'signed' || is_encrypted
    const wishes = {
      response_type,
      response_mode,
      ...(auth !== NONE && { token_endpoint_auth_method: auth }),
      ...((auth === 'client_secret_jwt' || auth === 'private_key_jwt') && {
        token_endpoint_auth_signing_alg: turn[auth](),
      }),
      id_token_signed_response_alg: row['signed'] as string,
      ...(row['encrypted'] !== NONE && {
        id_token_encrypted_response_alg: row['encrypted'] as string,
        id_token_encrypted_response_enc: row['content'] as string,
      }),
      ...(is_signed && { userinfo_signed_response_alg: turn.signed() }),
      ...(is_encrypted && {
        // To the key that the site has already, if it has one.
        userinfo_encrypted_response_alg:
          row['encrypted'] === NONE ? turn.encrypted() : (row['encrypted'] as string),
        userinfo_encrypted_response_enc: turn.content(),
      }),
    }
    const cell = { number: index + 1, row, response_type, response_mode, wishes }
    return { ...cell, name: [cell.number, ...columnsOf(cell)].join(' | ') }
  })
}

export const columns = [
  ...['Client authentication', 'ID Token', 'Response type', 'Response mode', 'UserInfo'],
] as const

function columnsOf({ row, wishes, response_type, response_mode }: Omit<Cell, 'name'>): string[] {
  const { UserInfo: userinfo } = row
  const jwt = (what: 'id_token' | 'userinfo') => {
    const alg = wishes[`${what}_encrypted_response_alg`]
    const encrypted = alg && `in ${alg} ${wishes[`${what}_encrypted_response_enc`]}`
    return join(wishes[`${what}_signed_response_alg`], encrypted)
  }
  return [
    join(wishes['token_endpoint_auth_method'], wishes['token_endpoint_auth_signing_alg']),
    jwt('id_token'),
    response_type,
    response_mode,
    userinfo === 'plain' ? 'JSON' : jwt('userinfo'),
  ]
}

function join(...parts: (string | undefined)[]): string {
  return parts.filter(Boolean).join(' ') || NONE
}

/** @param again what is gone through after the first time */
function inTurn(values: readonly string[], again: readonly string[] = values): () => string {
  let left: readonly string[] = values
  return () => {
    const [value, ...rest] = left
    left = rest.length > 0 ? rest : again
    return value as string
  }
}
