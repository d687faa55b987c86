/** The few plain pages that the helper shows by itself, and the headers that go with all it answers. */
import { createHash } from 'node:crypto'

/** A piece of finished HTML: the one thing that `html` does not escape. */
class Html {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Builds HTML; values are escaped, for text and for quoted attributes. */
export function html(literals: TemplateStringsArray, ...values: (string | Html)[]): Html {
  const shown = values.map((value) =>
    value instanceof Html
      ? value.text
      : value.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? ''),
  )
  return new Html(String.raw({ raw: literals }, ...shown))
}

const STYLE = `:root{color-scheme:light dark;font:1.1rem/1.5 system-ui,sans-serif}
body{max-width:34rem;margin:15vh auto;padding:0 1.5rem}
h1{font-size:1.6rem;line-height:1.2}
a,button{display:inline-block;margin:.5rem 1rem .5rem 0;padding:.5rem 1.25rem;border:1px solid;border-radius:.5rem;
font:inherit;color:inherit;background:none;text-decoration:none;cursor:pointer}
:focus-visible{outline:3px solid;outline-offset:2px}`

// It never changes, so that its hash may stand in the policy.
const STYLE_HASH = hashOf(STYLE)

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('base64')
}

/** Headers of whatever the helper answers: it is for one person, and often with a cookie. */
export const NOT_KEPT: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
}

export interface Page {
  status: number
  title: string
  main: Html
  /** Whether a form of the page leads to the OP in the end, which browsers hold against `form-action`. */
  leaves?: boolean
  /** Text of a script; its hash stands in the policy, so let it never change. */
  script?: string
  /** Where a form of the page may lead beside the page's own origin. */
  form_targets?: readonly string[]
}

export function page({
  status,
  title,
  main,
  leaves = false,
  script,
  form_targets = [],
}: Page): Response {
  const document = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${new Html(STYLE)}</style>
</head>
<body>
<main>
<h1>${title}</h1>
${main}
</main>
${script === undefined ? '' : html`<script>${new Html(script)}</script>`}
</body>
</html>
`
  return new Response(document.text, {
    status,
    headers: {
      ...NOT_KEPT,
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': [
        "default-src 'none'",
        `style-src 'sha256-${STYLE_HASH}'`,
        ...(script === undefined ? [] : [`script-src 'sha256-${hashOf(script)}'`]),
        ...(leaves ? [] : [["form-action 'self'", ...form_targets].join(' ')]),
        // A site may frame its own pages; a page in a frame says there that a login is due.
        "frame-ancestors 'self'",
        "base-uri 'none'",
      ].join('; '),
      // With no-referrer, browsers send `Origin: null` with a form.
      ...(leaves && { 'referrer-policy': 'same-origin' }),
    },
  })
}

/** @param set_cookie lines that go with it */
export function redirect(location: string, set_cookie: readonly string[] = []): Response {
  const response = new Response(null, { status: 303, headers: { ...NOT_KEPT, location } })
  for (const line of set_cookie) response.headers.append('set-cookie', line)
  return response
}

export function json(status: number, body: object, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { ...NOT_KEPT, 'content-type': 'application/json', ...headers },
  })
}
