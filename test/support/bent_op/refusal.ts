/** Answers of a bent OP that are no success. */
import { json } from './answers.js'
import type { Answer } from './types.js'

/** An answer of the OP that is not 200. */
export class Refusal extends Error {
  readonly answer: Answer

  constructor(answer: Answer) {
    super('refused')
    this.answer = answer
  }
}

/** RFC 6749 5.2, RFC 7591 3.2.2. */
export function refusal(error: string, error_description?: string, status = 400): Refusal {
  return new Refusal(json({ error, ...(error_description && { error_description }) }, status))
}

/** RFC 6750 3. */
export function badToken(): Answer {
  return json({ error: 'invalid_token' }, 401, {
    'www-authenticate': 'Bearer error="invalid_token"',
  })
}

/** RFC 6750 2.1. */
export function bearerOf(authorization: string | undefined): string | undefined {
  return /^Bearer (.+)$/.exec(authorization ?? '')?.[1]
}
