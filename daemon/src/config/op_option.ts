/** How the options of a section [op NAME] are read. */
import { reservedParameters } from '../op/authorization_checks.js'
import { canonicalOpHost } from '../op/op_host.js'
import { TENANT } from '../op/op_options.js'
import { list } from './option.js'

/** The OP that a section is about, written as its sites' op_host is kept. */
export function opAddress(value: string): string {
  const url = canonicalOpHost(value)
  if (!url) throw new Error('must be the address of an OP, without user, query or fragment')
  return url
}

/** An issuer, perhaps of many tenants. */
export function issuer(value: string): string {
  const [first, ...more] = value.split(TENANT)
  const plain = [first, ...more].join('tenant')
  if (more.length > 1 || /[{}]/.test(plain)) {
    throw new Error(`may hold ${TENANT} once, and no other placeholder`)
  }
  const url = URL.canParse(plain) ? new URL(plain) : undefined
  if (!url || !/^https?:$/.test(url.protocol) || /[?#]/.test(plain)) {
    throw new Error('must be an https address without query or fragment')
  }
  if (more.length === 1 && !url.pathname.split('/').includes('tenant')) {
    throw new Error(`must have ${TENANT} as a part of its path`)
  }
  return value
}

export function tenants(value: string): string[] {
  const ids = list(value)
  const bad = ids.find((one) => !/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/.test(one))
  if (bad !== undefined) {
    throw new Error(
      'must list ids such as 11111111-2222-3333-4444-555555555555, in small letters; names of tenants stand in no ID Token',
    )
  }
  return ids
}

/** `NAME=VALUE NAME=VALUE`, a value URL-encoded where it has white space. */
export function authorizationParameters(value: string): Record<string, string> {
  const parameters: Record<string, string> = {}
  for (const pair of value.split(/\s+/)) {
    const [, parameter, text] = /^([\w.-]+)=(.+)$/.exec(pair) ?? []
    const decoded = text === undefined ? undefined : decodedOf(text)
    if (parameter === undefined || decoded === undefined) {
      throw new Error('must be NAME=VALUE NAME=VALUE (a space within a value is %20)')
    }
    // prompt alone is also a matter of the OP: Google gives a refresh token with prompt=consent only.
    if (
      reservedParameters.has(parameter) &&
      !/^prompt=(login|consent|select_account)$/.test(pair)
    ) {
      throw new Error(`must not hold ${pair}, which each login decides`)
    }
    if (Object.hasOwn(parameters, parameter)) throw new Error(`has ${parameter} twice; keep one`)
    parameters[parameter] = decoded
  }
  return parameters
}

function decodedOf(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** An address that a browser is sent to. */
export function endpoint(value: string): string {
  if (!URL.canParse(value) || !/^https?:/.test(value) || value.includes('#')) {
    throw new Error('must be an https address without fragment')
  }
  return value
}

export function parameterName(value: string): string {
  if (!/^[\w.-]{1,100}$/.test(value)) throw new Error('must be the name of a parameter')
  if (/^(client_id|id_token_hint)$/.test(value)) throw new Error(`cannot be ${value}`)
  return value
}

/** Issuers of others than the OP; each names one alone. */
export function claimsProviders(value: string): string[] {
  const issuers = list(value)
  for (const one of issuers) {
    if (one.includes(TENANT)) throw new Error(`may not hold ${TENANT}`)
    issuer(one)
  }
  return issuers
}
