/** A response in the fragment of the callback (OAuth Response Types 5): a page that brings it to the server. */
import { html, page } from './page.js'
import type { Places } from './places.js'

// First the address bar is cleared, then all goes as the form that an OP would post.
const SCRIPT = `'use strict'
const response = new URLSearchParams(location.hash.slice(1))
history.replaceState(null, '', location.pathname + location.search)
const form = document.forms[0]
for (const [name, value] of response) {
  const field = document.createElement('input')
  field.type = 'hidden'
  field.name = name
  field.value = value
  form.append(field)
}
HTMLFormElement.prototype.submit.call(form)
`

/** @param request for the callback, whose fragment the browser has kept */
export function fragmentPage(request: Request, { after_login, login_path }: Places): Response {
  const { pathname, search } = new URL(request.url)
  return page({
    status: 200,
    title: 'One moment',
    main: html`<p role="status">You are being logged in.</p>
<noscript><p>This login ends with a script, and your browser runs none here. Allow it for this website, then <a href="${login_path}">log in again</a>.</p></noscript>
<form method="post" action="${pathname + search}"></form>`,
    script: SCRIPT,
    // Browsers hold the whole way of a form against the policy, and this one ends there.
    form_targets: [new URL(after_login).origin],
  })
}
