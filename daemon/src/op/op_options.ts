/** What relyd.cfg says of an OP in `[op NAME]`: the only exceptions from the specifications that are made. */
import type { StaticMetadata } from './static_metadata.js'

/** Stands in an issuer for the id of a tenant. */
export const TENANT = '{tenantid}'

export interface OpOptions {
  /** The section's, for the words of an error. */
  name: string
  /** As `readOpHost` gives it. */
  op_host: string
  /** Compared exactly; with `{tenantid}`, those of `tenants` in turn. Absent, `op_host` it is. */
  issuer?: string | undefined
  tenants?: readonly string[] | undefined
  metadata_file?: string | undefined
  /** What that file says: the OP is not asked for it. */
  static?: StaticMetadata | undefined
  authorization_parameters?: Readonly<Record<string, string>> | undefined
  response_mode?: 'form_post' | undefined
  logout_endpoint?: string | undefined
  logout_return_parameter?: string | undefined
  /** Audiences of ID Tokens that are accepted beside the client. */
  trusted_audiences?: readonly string[] | undefined
  /** Absent, GET. */
  userinfo_method?: 'GET' | 'POST' | undefined
  /** Issuers whose aggregated and distributed claims are believed. */
  claims_providers?: readonly string[] | undefined
  client_assertion_audience: 'issuer' | 'token_endpoint'
  /** Absolute; shown to the OP for sites that bring no initial access token of their own. */
  initial_access_token_file?: string | undefined
}

/** By {@link sectionKey} of `op_host`. */
export type OpOptionsByHost = ReadonlyMap<string, OpOptions>

/** What relyd.cfg says of the OP that a site names so. */
export function optionsOf(
  ops: OpOptionsByHost | undefined,
  op_host: string,
): OpOptions | undefined {
  return ops?.get(sectionKey(op_host))
}

/** With a slash at the end or without, it is one place of metadata, and one OP. */
export function sectionKey(op_host: string): string {
  return op_host.replace(/\/$/, '')
}

/** The issuer of one tenant, where the OP has many. */
export function issuerOfTenant({ issuer }: OpOptions, tenant: string): string | undefined {
  return issuer?.replace(TENANT, tenant)
}
