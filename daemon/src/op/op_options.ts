/** What relyd.cfg says of an OP in `[op NAME]`: the only exceptions from the specifications that are made. */

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
  authorization_parameters?: Readonly<Record<string, string>> | undefined
  response_mode?: 'form_post' | undefined
  logout_endpoint?: string | undefined
  logout_return_parameter?: string | undefined
  client_assertion_audience: 'issuer' | 'token_endpoint'
}

/** By `op_host`. */
export type OpOptionsByHost = ReadonlyMap<string, OpOptions>
