/** What a request is, by what browsers tell of it (Fetch Metadata): a page to be shown, or a script's question. */

/**
 * - `page`: the browser goes to this address, in a tab of its own.
 * - `form`: it goes there with a form's content, or within a frame: a login cannot continue it.
 * - `prefetch`: it asks ahead of time, for a visit that may never come.
 * - `data`: a script, an image or a program asks; a redirect to a login page would not help it.
 */
export type RequestKind = 'page' | 'form' | 'prefetch' | 'data'

const FRAMES = new Set(['iframe', 'frame', 'fencedframe', 'embed', 'object'])

export function kindOf({ method, headers }: Request): RequestKind {
  if (/\bprefetch\b/.test(headers.get('sec-purpose') ?? headers.get('purpose') ?? '')) {
    return 'prefetch'
  }
  if (!isNavigation(headers)) return 'data'
  const top = !FRAMES.has(headers.get('sec-fetch-dest') ?? '')
  return top && (method === 'GET' || method === 'HEAD') ? 'page' : 'form'
}

function isNavigation(headers: Headers): boolean {
  const mode = headers.get('sec-fetch-mode')
  if (mode !== null) return mode === 'navigate'
  // Older browsers, and all of them on plain http beyond localhost.
  return (
    (headers.get('accept') ?? '').toLowerCase().includes('text/html') &&
    !headers.has('x-requested-with')
  )
}

/** Whether a page of another site, or another host or port of this one, made the browser send it. */
export function isFromElsewhere({ headers }: Request, origin: string): boolean {
  const site = headers.get('sec-fetch-site')
  if (site !== null) return site !== 'same-origin' && site !== 'none'
  // With neither header it comes from no current browser; its cookies are SameSite=Lax besides.
  const from = headers.get('origin')
  return from !== null && from !== origin
}
