/** A callback that the OP has the browser post (OAuth 2.0 Form Post Response Mode): its form, read with bounds. */

/** Longest form, in bytes: an authorization response and what an OP adds to it. */
export const LONGEST_FORM = 64 * 1024

/** Whether a Content-Type is that of a form as browsers post it. */
export function isForm(content_type: string | null | undefined): boolean {
  return /^application\/x-www-form-urlencoded\b/i.test(content_type ?? '')
}

/**
 * The form of a request, as it came.
 *
 * @returns undefined if there is none, or one that is too long
 */
export async function readForm(request: Request): Promise<string | undefined> {
  if (!isForm(request.headers.get('content-type')) || !request.body) return undefined
  return readBounded(request.body)
}

/** @returns undefined for what is longer than {@link LONGEST_FORM}; the rest of it is not read */
export async function readBounded(body: AsyncIterable<Uint8Array>): Promise<string | undefined> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > LONGEST_FORM) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}
