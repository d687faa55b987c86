/** What the website shows. */
import type { Session } from '@relyd/sdk/web'
import type { Exchange } from './api_client.js'
import type { Explained } from './explain.js'
import { document, type Html, html, type Piece } from './page.js'

const login_button = html`<form method="post" action="/login"><button>Log in</button></form>`
const logout_button = html`<form method="post" action="/logout"><button class="quiet">Log out</button></form>`

export function homePage(session: Session | undefined, note?: string): string {
  const main = session ? welcome(session) : invitation()
  return websitePage(
    'Home',
    html`${note !== undefined && html`<p class="note good" role="status">${note}</p>`}${main}`,
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
<p class="muted">The website calls neither by hand: <code>nodeWebsite(client)</code> does. All of it is one short file to read:
<code>demosite/src/website.ts</code></p>`
}

function welcome({ issuer, sub }: Session): Html {
  return html`<h1>You are logged in</h1>
<p class="lead">The OpenID Provider at <strong>${issuer}</strong> says that you are <strong>${sub}</strong>.</p>
<div class="actions intro"><a class="button" href="/profile">See what it knows</a><a class="button quiet" href="/time">Ask an API the time</a>${logout_button}</div>
<p class="muted">This website remembers nothing. Your browser has a cookie with the session’s id, and relyd the session and its tokens.</p>`
}

/** @param claims what the OP's UserInfo endpoint answered */
export function profilePage(session: Session, claims: Record<string, unknown>): string {
  const { issuer, id_token_claims } = session
  return websitePage(
    'Profile',
    html`<h1>${text(claims['name'] ?? claims['sub'])}</h1>
<p class="lead">Logged in at ${issuer}</p>
<section class="card" aria-labelledby="claims">
<h2 id="claims">What the provider says about you</h2>
<table class="claims"><tbody>
${Object.entries(claims).map(([name, value]) => html`<tr><th scope="row">${name}</th><td>${claimValue(name, value)}</td></tr>`)}
</tbody></table>
<p class="muted">Asked for a moment ago: <code>client.getUserInfo({ session_id })</code></p>
</section>
<section class="card" aria-labelledby="token">
<h2 id="token">Your ID Token</h2>
<p>The provider signed these claims, and relyd verified the signature. The token itself stays there.</p>
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

/** @param exchange what was sent to the API, and its answer */
export function timePage(session: Session, exchange: Exchange): string {
  const { url, token_hash, expires_in, scope, status, body } = exchange
  const { pathname, host } = new URL(url)
  return websitePage(
    'Time',
    html`<h1>An API that asks who you are</h1>
<p class="lead">This website has just called an API on your behalf, with your access token. Your browser never had it.</p>
<section class="card" aria-labelledby="request">
<h2 id="request">What the website sent</h2>
<pre><code>GET ${pathname} HTTP/1.1
Host: ${host}
Authorization: Bearer ••••••••</code></pre>
<table class="claims"><tbody>
<tr><th scope="row">Token</th><td>the one with the SHA-256 <code>${token_hash}…</code></td></tr>
${expires_in !== undefined && html`<tr><th scope="row">Good for</th><td>${expires_in} seconds</td></tr>`}
${scope !== undefined && html`<tr><th scope="row">Scope</th><td>${scope}</td></tr>`}
</tbody></table>
<p class="muted"><code>client.getAccessToken({ session_id })</code> answers one that is good. When it runs out, relyd has the
provider make another: load this page again in a minute, and its SHA-256 is a new one.</p>
</section>
<section class="card" aria-labelledby="answer">
<h2 id="answer">What the API answered: ${status}</h2>
<pre><code>${indented(body)}</code></pre>
<p class="muted">It asked relyd about the token, which asked the provider: <code>nodeGuard(client).require('openid')</code>.
<a href="${pathname}">Ask it without a token</a>, and it refuses.</p>
</section>
<div class="actions"><a class="button" href="/time">Ask again</a><a class="button quiet" href="/profile">Profile</a></div>`,
    session,
  )
}

export function troublePage({ title, text, quote, cure, login_path }: Explained): string {
  return websitePage(
    title,
    html`<h1>${title}</h1>
<p class="lead">${text}</p>
${quote && html`<pre>${quote}</pre>`}
${cure && html`<p>${cure}</p>`}
<div class="actions">${login_path !== undefined && html`<a class="button" href="${login_path}">Log in</a>`}<a class="button quiet" href="/">Home</a></div>`,
  )
}

function websitePage(title: string, main: Html, session?: Session): string {
  const navigation =
    session && html`<a href="/profile">Profile</a><a href="/time">Time</a>${logout_button}`
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

/** JSON with its members in lines of their own, if it is JSON. */
function indented(body: string): string {
  try {
    return JSON.stringify(JSON.parse(body), null, 2)
  } catch {
    return body
  }
}
