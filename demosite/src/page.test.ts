import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { document, Html, html, pageHeaders } from './page.js'

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
