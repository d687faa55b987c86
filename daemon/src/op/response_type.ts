/** How an OP answers an authorization request: with what (OIDC Core 3), and how it comes (OAuth Response Modes 2). */
import type { ServerMetadata } from 'openid-client'
import { bounded } from '../errors.js'
import { refused } from '../refused.js'

/** `code` alone brings nothing through the browser that is worth stealing. */
export const responseTypes = [
  'code',
  'id_token',
  'code id_token',
  'id_token token',
  'code token',
  'code id_token token',
] as const

export type ResponseType = (typeof responseTypes)[number]

export const responseModes = ['query', 'fragment', 'form_post'] as const

export type ResponseMode = (typeof responseModes)[number]

/** What is asked for. */
export interface ResponseWish {
  response_type?: ResponseType | undefined
  /** Undefined, what the OP chooses for the type. */
  response_mode?: ResponseMode | undefined
}

/** Whether the authorization response itself brings this. */
export function brings(type: ResponseType, what: 'code' | 'id_token' | 'token'): boolean {
  return type.split(' ').includes(what)
}

/** Whether a login of this type ends with an access token, wherever that comes from. */
export function givesAccess(type: ResponseType): boolean {
  return type !== 'id_token'
}

/** OAuth Response Types 5: what an OP chooses that is told nothing. */
export function defaultMode(type: ResponseType): ResponseMode {
  return type === 'code' ? 'query' : 'fragment'
}

/** What the operator has said of a realm. */
export interface RealmWord {
  name: string
  front_channel_access_tokens: boolean
}

/**
 * Refuses what would show tokens to those who must not see them.
 *
 * @throws CommandError `invalid_request`
 */
export function checkExposure(
  { response_type = 'code', response_mode }: ResponseWish,
  realm: RealmWord,
): void {
  // RFC 9700 2.1.2: access tokens in a browser's address leak, and nothing binds them to us.
  if (brings(response_type, 'token') && !realm.front_channel_access_tokens) {
    throw refused(
      'response_type',
      `${response_type} brings an access token through the browser, which the operator has not allowed (front_channel_access_tokens in [realm ${realm.name}] of relyd.cfg); ${response_type === 'id_token token' ? 'code' : response_type.replace(/ token$/, '')} gets one without`,
    )
  }
  // OAuth Response Types 3, 5: tokens in a query end in logs and in Referer.
  if (response_mode === 'query' && response_type !== 'code') {
    throw refused('response_mode', `query is for code alone; ${response_type} has tokens in it`)
  }
}

/** What a host of this machine is called. */
export const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/

/**
 * OIDC Core 3.2.2.1: tokens come through the browser to https only, but on one's own machine.
 *
 * @throws CommandError `invalid_request`
 */
export function checkTransport(type: ResponseType = 'code', redirect_uri: string): void {
  const { protocol, hostname } = new URL(redirect_uri)
  if (type === 'code' || protocol === 'https:' || LOOPBACK.test(hostname)) return
  // With code token too: the access token is sent there, whether anybody wants it or not.
  throw refused(
    'response_type',
    `${type} brings tokens through the browser, to https only: give the site an https redirect URI, or take code`,
  ).with({ spec: 'OIDC Core 3.2.2.1' })
}

/**
 * OIDC Registration 2: a client that restricts itself to response types is answered with no other.
 *
 * @param registered the client's `response_types`, as far as relyd knows
 * @throws CommandError `invalid_request`
 */
export function checkRegisteredType(type: ResponseType, registered: unknown): void {
  if (!isList(registered) || registered.some((one) => isSame(one, type))) return
  throw refused(
    'response_type',
    `${type} is none that the site is registered with at the OP (${bounded(registered.join(', '), 100)}); have it in the registration's response_types`,
  )
}

/**
 * Refuses that too, and what can only fail at this OP.
 *
 * @throws CommandError `invalid_request`
 */
export function checkResponseWish(
  wish: ResponseWish,
  metadata: ServerMetadata,
  realm: RealmWord,
): void {
  checkExposure(wish, realm)
  const { response_type = 'code', response_mode } = wish
  const types = metadata.response_types_supported
  if (types && response_type !== 'code' && !types.some((one) => isSame(one, response_type))) {
    throw refused('response_type', `${response_type} is none that the OP's metadata offers`)
  }
  const modes = metadata['response_modes_supported']
  if (response_mode && Array.isArray(modes) && !modes.includes(response_mode)) {
    throw refused('response_mode', `${response_mode} is none that the OP's metadata offers`)
  }
}

/** OAuth Response Types 3: the order of the words says nothing. */
function isSame(offered: string, type: ResponseType): boolean {
  if (offered === type) return true
  return offered.split(' ').sort().join(' ') === type.split(' ').sort().join(' ')
}

function isList(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string')
}
