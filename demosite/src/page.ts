/** HTML that escapes whatever is put into it, and the frame that all pages of the demo share. */
import { createHash } from 'node:crypto'
import { printable } from './printable.js'
import { stylesheet } from './stylesheet.js'

/** A piece of finished HTML: the one thing that `html` does not escape. */
export class Html {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  toString(): string {
    return this.text
  }
}

/** What can stand in a template; `false`, `null` and `undefined` leave nothing behind. */
export type Piece = Html | string | number | false | null | undefined | readonly Piece[]

/** Longest value that a page shows. */
const longest = 20_000

/** Builds HTML from a template literal; every value is escaped and bounded, for text and quoted attributes. */
export function html(literals: TemplateStringsArray, ...values: Piece[]): Html {
  return new Html(literals.reduce((text, literal, at) => text + render(values[at - 1]) + literal))
}

function render(piece: Piece): string {
  if (piece === false || piece === null || piece === undefined) return ''
  if (piece instanceof Html) return piece.text
  if (Array.isArray(piece)) return piece.map(render).join('')
  return escaped(String(piece))
}

const entities: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escaped(text: string): string {
  const shown = text.length > longest ? `${text.slice(0, longest)}…` : text
  return printable(shown).replace(/[&<>"']/g, (character) => entities[character] ?? '')
}

/** What differs from page to page. */
export interface Page {
  title: string
  main: Html
  /** Whose page it is. The OP's pages have a look of their own, since they are another party's. */
  party: 'website' | 'op'
  /** Links and buttons at the right of the header. */
  navigation?: Html
}

/** Puts a page's content into the frame. */
export function document({ title, main, party, navigation }: Page): string {
  const name = party === 'op' ? 'Demo OpenID Provider' : 'relyd demosite'
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · ${name}</title>
<link rel="icon" href="data:image/svg+xml,${encodeURIComponent(icon[party])}">
<style>${new Html(stylesheet)}</style>
</head>
<body class="${party}">
<header><div>${brand[party]}${navigation && html`<nav aria-label="Account">${navigation}</nav>`}</div></header>
<main>${main}</main>
<footer><p>${footer[party]}</p></footer>
</body>
</html>
`.text
}

const icon = { website: padlock('#4338ca'), op: padlock('#0f766e') }

function padlock(color: string): string {
  return html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">
<rect width="32" height="32" rx="8" fill="${color}"/>
<path d="M11 15v-4a5 5 0 0 1 10 0v4" fill="none" stroke="#fff" stroke-width="3"/>
<rect x="8" y="14" width="16" height="11" rx="2.5" fill="#fff"/></svg>`.text
}

const brand = {
  website: html`<a class="brand" href="/"><span class="mark" aria-hidden="true">r</span> relyd demosite</a>`,
  op: html`<span class="brand"><span class="mark" aria-hidden="true">OP</span> Demo OpenID Provider</span>`,
}

const footer = {
  website: 'A website that holds no keys, no secrets and no crypto: it asks relyd.',
  op: 'This page belongs to the OpenID Provider (OP). In real life it is another company’s server: the website never sees your password.',
}

// The stylesheet never changes, so its hash may stand in the policy: no nonce, no second request.
const style_hash = createHash('sha256').update(stylesheet).digest('base64')

/**
 * Headers of every page.
 *
 * @param form_action where forms may lead, which to Chrome includes all redirects that follow
 */
export function pageHeaders(form_action: readonly string[]): Record<string, string> {
  return {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'content-security-policy': [
      "default-src 'none'",
      `style-src 'sha256-${style_hash}'`,
      'img-src data:',
      `form-action ${["'self'", ...form_action].join(' ')}`,
      "frame-ancestors 'none'",
      "base-uri 'none'",
    ].join('; '),
    'x-content-type-options': 'nosniff',
    // Callback addresses carry codes: no other origin may see them. Not `no-referrer`, which makes
    // browsers send `Origin: null` with forms, and Origin is how we know our own.
    'referrer-policy': 'same-origin',
  }
}
