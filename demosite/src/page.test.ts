import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { consentPage, errorPage, loginPage } from './op_pages.js'
import { document, Html, html, pageHeaders } from './page.js'
import { homePage, profilePage, timePage, troublePage } from './pages.js'
import { printableError } from './printable.js'

const hostile = `<script>alert("x")</script>'&`
const harmless = '&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&#39;&amp;'

test('whatever is put into a template is escaped, in lists and attributes too', () => {
  expect(html`<p title="${hostile}">${hostile}${[hostile, 7]}</p>`.text).toBe(
    `<p title="${harmless}">${harmless}${harmless}7</p>`,
  )
})

test('templates nest without being escaped again', () => {
  const inner = html`<b>${'&'}</b>`
  expect(html`${inner}${[inner]}${new Html('<i>')}`.text).toBe('<b>&amp;</b><b>&amp;</b><i>')
})

test('what is absent leaves nothing behind, and zero is not absent', () => {
  expect(html`[${false}${null}${undefined}${''}${0}]`.text).toBe('[0]')
})

test('a title cannot leave its place', () => {
  const page = document({ title: hostile, main: html``, party: 'website' })
  expect(page).toContain(`<title>${harmless} `)
  expect(page).not.toContain('<script')
})

test('the policy allows the stylesheet of the page, no scripts, and the given form targets', () => {
  const [, style = ''] = /<style>(.*)<\/style>/s.exec(
    document({ title: '', main: html``, party: 'op' }),
  ) as RegExpExecArray
  const policy = pageHeaders(['https://op.example'])['content-security-policy']
  expect(policy).toContain(createHash('sha256').update(style).digest('base64'))
  expect(policy).toContain("default-src 'none'")
  expect(policy).toContain("form-action 'self' https://op.example;")
  expect(policy).not.toContain('script-src')
})

describe('text from outside', () => {
  const hostile = '\x1b[2J\x00\x7f\x9b\u2028\u202Etxt\u2066\uD800</script><!--'
  const obeyed = /[^\P{Cc}\n]|[\p{Cs}\p{Zl}\p{Zp}\u202A-\u202E\u2066-\u2069]/u
  const session = {
    session_id: 's',
    session_ref: 'ref',
    issuer: hostile,
    sub: hostile,
    id_token_claims: { iss: hostile, sub: hostile },
    created_at: 0,
    expires_at: 0,
  }
  const exchange = { url: 'http://localhost/', token_hash: hostile, expires_in: 1, status: 200 }

  test.each([
    [
      'as claims and their names',
      () => profilePage(session, { [hostile]: hostile, a: [{ [hostile]: hostile }] }),
    ],
    [
      'as an error',
      () => troublePage({ title: hostile, text: hostile, quote: hostile, login_path: hostile }),
    ],
    ['as an API’s answer', () => timePage(session, { ...exchange, scope: hostile, body: hostile })],
    ['as who logged in', () => homePage(session, hostile)],
    [
      'as a client and what it asks for',
      () =>
        consentPage({
          client: hostile,
          action: '/',
          user: hostile,
          scopes: [hostile],
          claims: [hostile],
        }),
    ],
    ['as a client at the login', () => loginPage({ client: hostile, action: '/', name: hostile })],
    ['as an error of the OP', () => errorPage(hostile, hostile)],
  ])('stays text %s', (_, page) => {
    const shown = page()
    expect(shown).not.toMatch(obeyed)
    expect(shown).not.toMatch(/<\/script|<!--/)
    expect(shown).toContain(
      '\\u001b[2J\\u0000\\u007f\\u009b\\u2028\\u202etxt\\u2066\\ud800&lt;/script&gt;',
    )
  })

  test('keeps what people write, joined emoji included', () => {
    const written = 'Ünïcode ❤ 👩‍👩‍👧 שלום\n\tक्‍ष'
    expect(html`${written}`.text).toBe(written)
  })

  test('takes so much room and no more', () => {
    const huge = '<'.repeat(1 << 20)
    const shown = profilePage(session, { name: huge, other: huge })
    expect(shown.length).toBeLessThan(400_000)
    expect(shown).toContain('&lt;…')
  })

  test('for a terminal, an error is its stack alone', () => {
    const error = Object.assign(new Error(hostile), { token: 'not to be shown' })
    expect(printableError(error)).not.toMatch(obeyed)
    expect(printableError(error)).toMatch(/^Error: .*txt.*page\.test\.ts/s)
    expect(printableError(error)).not.toContain('not to be shown')
    expect(printableError('\x1b')).toBe('\\u001b')
  })
})
