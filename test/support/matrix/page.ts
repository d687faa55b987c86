/** The matrix as a page for readers. */
import { type Cell, columns, designOf, impossible, NONE, refused } from './cells.js'
import type { Offer } from './op.js'
import { feasiblePairs } from './pairwise.js'

export function matrixPage(offer: Offer, cells: readonly Cell[]): string {
  const design = designOf(offer)
  const { token_endpoint_auth_signing_alg_values_supported: assertions } = offer
  const dimensions = Object.entries(design.dimensions).map(
    ([name, values]) => `| ${name} | ${values.filter((one) => one !== NONE).join(', ')} |`,
  )
  const pairs = feasiblePairs(design).length
  return `<!-- Written by \`npx vitest run -c vitest.interop.config.ts test/interop/matrix.test.ts -u\`; do not edit. -->
# Logins against oidc-provider

Each row is a run (\`test/interop/matrix.test.ts\`): the daemon registers a site at a real
[oidc-provider](https://github.com/panva/node-oidc-provider) with what the row says, an End-User logs in, UserInfo is read, and
where there is a refresh token the session is refreshed and UserInfo read again. The rows are
generated from the OP's metadata so that each of the ${pairs} pairs of values that go together is in at
least one of the ${cells.length} rows.

| Dimension | Values |
|---|---|
${dimensions.join('\n')}

Client assertions are signed with each of ${assertions.join(', ')}
in turn, and UserInfo is signed and encrypted with each algorithm that the OP offers for it.

What nobody can put together:
${impossible.map((what) => `- ${what}`).join('\n')}

What relyd refuses, and a test shows:
${refused.map(({ field, value, reason }) => `- \`${field}\` \`${value}\`: it ${reason}`).join('\n')}
- ID Tokens without signature (\`none\`), which this OP does not offer: anybody could forge them

| # | ${columns.join(' | ')} |
|---|${columns.map(() => '---').join('|')}|
${cells.map(({ name }) => `| ${name} |`).join('\n')}
`
}
