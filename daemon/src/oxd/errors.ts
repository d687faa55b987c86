/** What oxd's clients get to hear of a refusal: codes that they know, with relyd's own beside them as `reason`. */
import type { OxdGeneration } from '../context.js'
import type { ErrorCode } from '../errors.js'
import type { ErrorData } from '../server/envelope.js'

export interface OxdErrorData {
  error: string
  error_description: string
  details?: Record<string, unknown>
}

/** Parameters of which oxd said `bad_request` where they were missing. */
const BAD_REQUEST_FIELDS = new Set(['oxd_id', 'code', 'state'])

/** Codes of relyd that oxd has otherwise. */
const others: Partial<Record<ErrorCode, string>> = {
  invalid_state: 'bad_request',
  // Of frames that cannot be read, or sent.
  invalid_frame: 'internal_error',
  frame_too_large: 'internal_error',
}

export function oxdError(data: ErrorData, generation: OxdGeneration): OxdErrorData {
  const { error, error_description, details, request_id } = data
  const field = details?.['field']
  const code =
    error === 'invalid_request' && typeof field === 'string' && BAD_REQUEST_FIELDS.has(field)
      ? 'bad_request'
      : (others[error as ErrorCode] ?? error)
  const told = { error: code, error_description }
  // Their clients turn each name into an attribute, and know no details.
  if (generation !== '3.1') return told
  return { ...told, details: { ...details, request_id, ...(code !== error && { reason: error }) } }
}
