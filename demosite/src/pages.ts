/** What the website shows. */
import type { Trouble } from './explain.js'
import { document, type Html, html, type Piece } from './page.js'
import type { Session } from './sessions.js'

const login_button = html`<form method="post" action="/login"><button>Log in</button></form>`
const logout_button = html`<form method="post" action="/logout"><button class="quiet">Log out</button></form>`

export function homePage(session: Session | undefined, note: string | false): string {
  const main = session ? welcome(session) : invitation()
  return websitePage(
    'Home',
    html`${note && html`<p class="note good" role="status">${note}</p>`}${main}`,
    session,
  )
}

function invitation(): Html {
  return html`<h1>A login, and not one secret in the website</h1>
<p class="lead">This website logs people in with OpenID Connect. It holds no keys, no client secret and no crypto:
a daemon beside it, <strong>relyd</strong>, does that part.</p>
<div class="actions intro">${login_button}</div>
<section class="card" aria-labelledby="next">
<h2 id="next">What will happen</h2>
<ol>
<li><strong>You press “Log in”.</strong> The website asks relyd where to send you.<br><code>client.getAuthorizationUrl()</code></li>
<li><strong>You log in at the OpenID Provider,</strong> on its own page. Your password never comes here.</li>
<li><strong>You come back with a code.</strong> The website hands it to relyd, which gets your tokens, verifies them and answers who you are.<br><code>client.getTokensByCallback(…)</code></li>
</ol>
</section>
<p class="muted">The whole website is one short file to read: <code>demosite/src/website.ts</code></p>`
}

function welcome({ id_token_claims }: Session): Html {
  return html`<h1>You are logged in</h1>
<p class="lead">The OpenID Provider at <strong>${text(id_token_claims['iss'])}</strong> says that you are
<strong>${text(id_token_claims['sub'])}</strong>.</p>
<div class="actions intro"><a class="button" href="/profile">See what it knows</a>${logout_button}</div>
<p class="muted">This website remembers a cookie and the <code>session_id</code> that relyd gave it. The tokens are in relyd’s keeping.</p>`
}

/** @param claims what the OP's UserInfo endpoint answered */
export function profilePage(session: Session, claims: Record<string, unknown>): string {
  const { id_token, id_token_claims } = session
  return websitePage(
    'Profile',
    html`<h1>${text(claims['name'] ?? claims['sub'])}</h1>
<p class="lead">Logged in at ${text(id_token_claims['iss'])}</p>
<section class="card" aria-labelledby="claims">
<h2 id="claims">What the provider says about you</h2>
<table class="claims"><tbody>
${Object.entries(claims).map(([name, value]) => html`<tr><th scope="row">${name}</th><td>${claimValue(name, value)}</td></tr>`)}
</tbody></table>
<p class="muted">Asked for a moment ago: <code>client.getUserInfo({ session_id })</code></p>
</section>
<section class="card" aria-labelledby="token">
<h2 id="token">Your ID Token</h2>
<p>The provider signed it, and relyd verified it before this website saw it.</p>
${id_token && html`<h3>Header</h3>${json(tokenHeader(id_token))}<h3>Payload</h3>`}
${json(id_token_claims)}
</section>
<section class="card" aria-labelledby="done">
<h2 id="done">What relyd did for this login</h2>
<ol>
<li>Read the provider’s metadata, and registered this website there, unless it was known already.</li>
<li>Made a fresh <code>state</code>, <code>nonce</code> and PKCE key, and a cookie that ties the login to your browser.</li>
<li>Checked that the answer came from the right provider, for this login, to this browser, and only once.</li>
<li>Exchanged the code for tokens, authenticated as this website, with a secret that relyd keeps.</li>
<li>Verified the ID Token: signature, issuer, audience, times and <code>nonce</code>.</li>
<li>Keeps the tokens, encrypted, behind a <code>session_id</code>, and used the access token to ask for the table above.</li>
</ol>
</section>
<div class="actions">${logout_button}<a class="button quiet" href="/">Home</a></div>`,
    session,
  )
}

export function troublePage({ title, text, quote, cure, ways }: Trouble): string {
  const way = {
    login: login_button,
    profile: html`<a class="button quiet" href="/profile">Profile</a>`,
    home: html`<a class="button quiet" href="/">Home</a>`,
  }
  return websitePage(
    title,
    html`<h1>${title}</h1>
<p class="lead">${text}</p>
${quote && html`<pre>${quote}</pre>`}
${cure && html`<p>${cure}</p>`}
<div class="actions">${ways.map((name) => way[name])}</div>`,
  )
}

function websitePage(title: string, main: Html, session?: Session): string {
  const navigation = session && html`<a href="/profile">Profile</a>${logout_button}`
  return document({ title, main, party: 'website', ...(navigation && { navigation }) })
}

function claimValue(name: string, value: unknown): Piece {
  if (typeof value === 'number' && name.endsWith('_at')) return new Date(value * 1000).toUTCString()
  return text(value)
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value, null, 2)
}

function json(value: unknown): Html {
  return html`<pre><code>${JSON.stringify(value, null, 2)}</code></pre>`
}

/** The first of a JWT's three parts, for show: relyd has verified the whole. */
function tokenHeader(token: string): unknown {
  const [header = ''] = token.split('.')
  return JSON.parse(Buffer.from(header, 'base64url').toString())
}
