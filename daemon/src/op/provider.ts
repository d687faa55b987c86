/** One OP as the daemon knows it: its metadata and its keys, with their age. */
import type { JSONWebKeySet } from 'jose'
import type { ServerMetadata } from 'openid-client'
import type { Seconds } from '../clock.js'

export class Provider {
  /** The issuer URL by which it was looked up. */
  readonly op_host: string
  /** Replaced, never changed: what is derived from it compares identity. */
  metadata: ServerMetadata
  jwks: JSONWebKeySet | null
  fetched_at: Seconds
  /** Of an OP at which a site is, or is about to be: the store has it, too. */
  readonly kept: boolean

  constructor(
    op_host: string,
    metadata: ServerMetadata,
    jwks: JSONWebKeySet | null,
    fetched_at: Seconds,
    kept = true,
  ) {
    this.op_host = op_host
    this.metadata = metadata
    this.jwks = jwks
    this.fetched_at = fetched_at
    this.kept = kept
  }

  get issuer(): string {
    return this.metadata.issuer
  }
}
