/** What the embedded OP shows to people: login, consent, logout and errors. */
import { document, type Html, html } from './page.js'
import type { User } from './users.js'

export interface LoginPage {
  /** The website the person is logging in to. */
  client: string
  /** Where the form goes. */
  action: string
  /** Typed before, or known from `login_hint`. */
  name?: string | undefined
  failed?: boolean
  /** People whose passwords are told on the page: for demos only. */
  hint?: readonly User[] | undefined
}

export function loginPage({ client, action, name = '', failed = false, hint }: LoginPage): string {
  const invalid = failed && html`aria-invalid="true" aria-describedby="failed"`
  return opPage(
    'Log in',
    html`<h1>Log in</h1>
<p class="lead">to continue to <strong>${client}</strong></p>
<form class="card" method="post" action="${action}">
${failed && html`<p class="error" id="failed" role="alert">No such name and password. Please try again.</p>`}
<label for="name">Name</label>
<input id="name" name="name" value="${name}" required autocomplete="username" autocapitalize="none" spellcheck="false" ${!name && html`autofocus`} ${invalid}>
<label for="password">Password</label>
<input id="password" name="password" type="password" required autocomplete="current-password" ${name && html`autofocus`} ${invalid}>
<div class="actions">
<button name="action" value="login">Log in</button>
<button class="quiet" name="action" value="cancel" formnovalidate>Cancel</button>
</div>
</form>
${
  hint &&
  html`<section class="card" aria-labelledby="hint">
<h2 id="hint">Demo users</h2>
<table>
<thead><tr><th scope="col">Name</th><th scope="col">Password</th></tr></thead>
<tbody>${hint.map((user) => html`<tr><td><code>${user.name}</code></td><td><code>${user.password}</code></td></tr>`)}</tbody>
</table>
</section>`
}`,
  )
}

/** What a scope means to the person who is asked to grant it (OIDC Core 5.4, 11). */
const scope_meanings: Record<string, string> = {
  openid: 'Know that it is you: your identifier at this provider',
  profile: 'See your profile: name, birthday, language and the like',
  email: 'See your e-mail address',
  phone: 'See your phone number',
  address: 'See your postal address',
  offline_access: 'Keep this access while you are away',
}

export interface ConsentPage {
  client: string
  action: string
  user: string
  scopes: readonly string[]
  /** Claims asked for one by one rather than by scope. */
  claims: readonly string[]
}

export function consentPage({ client, action, user, scopes, claims }: ConsentPage): string {
  return opPage(
    'Allow access',
    html`<h1>Allow access?</h1>
<p class="lead">You are logged in as <strong>${user}</strong>. The website <strong>${client}</strong> asks to:</p>
<form class="card" method="post" action="${action}">
<ul>${scopes.map((scope) => html`<li>${scope_meanings[scope] ?? scope}</li>`)}
${claims.map((claim) => html`<li>See <code>${claim}</code></li>`)}
${scopes.length + claims.length === 0 && html`<li>Continue with what you allowed before</li>`}</ul>
<div class="actions">
<button name="action" value="allow">Allow</button>
<button class="quiet" name="action" value="cancel">Cancel</button>
</div>
</form>`,
  )
}

/** @param form the hidden form of oidc-provider, which the buttons belong to */
export function logoutPage(form: Html, client: string | undefined): string {
  return opPage(
    'Log out',
    html`<h1>Log out here, too?</h1>
<p class="lead">${client ? html`<strong>${client}</strong> has logged you out.` : 'A website has logged you out.'}
You still have a session at this provider: the next login would ask for no password.</p>
<div class="card">${form}
<div class="actions">
<button form="op.logoutForm" name="logout" value="yes">Yes, log out</button>
<button class="quiet" form="op.logoutForm">No, stay logged in</button>
</div></div>`,
  )
}

export function loggedOutPage(): string {
  return opPage(
    'Logged out',
    html`<h1>Logged out</h1>
<p class="lead">You are done here and may close this page.</p>`,
  )
}

export function errorPage(error: string, description: string | undefined): string {
  return opPage(
    'Error',
    html`<h1>That did not work</h1>
<div class="card">
<p role="alert">${description ?? 'The provider could not do what it was asked to.'}</p>
<p class="muted">Error code: <code>${error}</code></p>
</div>
<p>Go back to the website that you came from, and try again there.</p>`,
  )
}

function opPage(title: string, main: Html): string {
  return document({ title, main, party: 'op' })
}
