/** How an OP answers an authorization request: with what (OIDC Core 3), and how it comes (OAuth Response Modes 2). */

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

/** Whether the authorization response itself brings this. */
export function brings(type: ResponseType, what: 'code' | 'id_token' | 'token'): boolean {
  return type.split(' ').includes(what)
}

/** OAuth Response Types 5: what an OP chooses that is told nothing. */
export function defaultMode(type: ResponseType): ResponseMode {
  return type === 'code' ? 'query' : 'fragment'
}
