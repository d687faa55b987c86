/** Metadata of an OP that the operator has written into a file, for an OP that publishes none. */
import { readFileSync } from 'node:fs'
import type { JSONWebKeySet } from 'jose'
import type { ServerMetadata } from 'openid-client'
import { CommandError } from '../errors.js'
import type { AddressPolicy } from './address_policy.js'
import { isUsable, keysOf, MAX_KEYS } from './discovery.js'
import { checkMembers } from './metadata.js'
import type { OpOptions } from './op_options.js'

export interface StaticMetadata {
  /** As an OP would publish it (OIDC Discovery 3), without `jwks`. */
  metadata: ServerMetadata
  /** The file's member `jwks`; without it, they are fetched from jwks_uri. */
  jwks?: JSONWebKeySet
}

/** Longest file, in bytes. */
const LONGEST = 256 * 1024

/**
 * Reads `metadata_file` of a section, and checks it as what an OP publishes is checked.
 *
 * @throws Error whose message says what is wrong with the file
 */
export function readStaticMetadata(
  path: string,
  policy: Pick<AddressPolicy, 'isSecure'>,
  options: OpOptions,
): StaticMetadata {
  const { jwks: set, ...members } = readObject(path)
  const metadata = members as unknown as ServerMetadata
  if (typeof metadata.issuer !== 'string') throw new Error('has no issuer')
  try {
    checkMembers(policy, options.op_host, metadata, options, { with_keys: set !== undefined })
  } catch (error) {
    if (error instanceof CommandError) throw new Error(`is of no use: ${error.message}`)
    throw error
  }
  if (set === undefined) return { metadata }
  const keys = keysOf(set)
  if (!isUsable(keys)) {
    throw new Error(`has jwks that are no set of 1 to ${MAX_KEYS} public keys (RFC 7517 5)`)
  }
  return { metadata, jwks: { keys } }
}

function readObject(path: string): Record<string, unknown> {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new Error(code === 'ENOENT' ? 'does not exist' : `cannot be read (${code})`)
  }
  if (Buffer.byteLength(text) > LONGEST) throw new Error(`is longer than ${LONGEST} bytes`)
  let value: unknown
  try {
    value = JSON.parse(text.replace(/^\uFEFF/, ''))
  } catch {
    // The parser's message quotes the text.
    throw new Error('is not JSON')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Error('is no JSON object of OpenID Connect metadata (OIDC Discovery 3)')
  }
  return value as Record<string, unknown>
}
