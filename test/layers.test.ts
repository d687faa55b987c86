/** Who may import whom: what ARCHITECTURE.md says of the layers, held by test. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { adminCommands } from '../daemon/src/admin/commands/index.js'
import { commands } from '../daemon/src/commands/index.js'
import { oxdCommands } from '../daemon/src/oxd/commands/index.js'

const root = fileURLToPath(new URL('..', import.meta.url))

interface Import {
  from: string
  /** A package's name, or a path from the root. */
  to: string
}

function imports(folder: string): Import[] {
  return sources(folder).flatMap((from) =>
    [...readFileSync(join(root, from), 'utf8').matchAll(/(?:from|import) '([^']+)'/g)].map(
      ([, name]) => ({
        from,
        to: name?.startsWith('.')
          ? relative(root, join(root, dirname(from), name))
          : (name as string),
      }),
    ),
  )
}

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
    .map((name) => join(folder, name))
}

const daemon = imports('daemon/src')

test('the walk over imports sees them', () => {
  expect(daemon).toContainEqual({
    from: 'daemon/src/commands/get_user_info.ts',
    to: 'daemon/src/op/userinfo.js',
  })
})

test('commands reach neither server, nor configuration, nor each other, nor a store but its interface', () => {
  const beyond = daemon.filter(
    ({ from, to }) =>
      /^daemon\/src\/(admin\/)?commands\//.test(from) &&
      !from.endsWith('/index.ts') &&
      (/^daemon\/src\/(server|config|(admin\/)?commands)\//.test(to) ||
        /^daemon\/src\/store\/(?!store|expiring_id)/.test(to)),
  )
  expect(beyond).toEqual([])
})

test('oxd is an adapter at the edge: the server alone knows of it, and it reaches what commands reach', () => {
  const within = /^daemon\/src\/oxd\//
  expect(
    daemon.filter(({ from, to }) => within.test(to) && !/^daemon\/src\/(oxd|server)\//.test(from)),
  ).toEqual([])
  expect(
    daemon.filter(
      ({ from, to }) =>
        within.test(from) &&
        (/^daemon\/src\/(server|config|admin|cli)\//.test(to) ||
          /^daemon\/src\/store\/(?!store|expiring_id)/.test(to)),
    ),
  ).toEqual([])
})

test('commands of oxd run ordinary ones, and not each other', () => {
  const folder = /^daemon\/src\/oxd\/commands\//
  const each_other = daemon.filter(
    ({ from, to }) => folder.test(from) && folder.test(to) && !from.endsWith('/index.ts'),
  )
  expect(each_other).toEqual([])
})

test('dialects know frames, and no command', () => {
  const beyond = daemon.filter(
    ({ from, to }) =>
      from.startsWith('daemon/src/server/dialects/') &&
      /^daemon\/src\/(commands|oxd|admin|op|store)\//.test(to),
  )
  expect(beyond).toEqual([])
})

test('only op/ reaches the network, only server/ listens, and only command line and doctor connect to it', () => {
  const client = /^(undici|openid-client|jose|node:(http|https|http2|dns).*)$/
  const socket = /^node:(net|tls)$/
  const abroad = daemon.filter(
    ({ from, to }) =>
      (client.test(to) &&
        !from.startsWith('daemon/src/op/') &&
        // To be asked by it, not to ask.
        !(to === 'node:http' && from.startsWith('daemon/src/server/http_'))) ||
      (socket.test(to) && !/^daemon\/src\/(server|cli|doctor)\//.test(from)),
  )
  expect(abroad).toEqual([])
})

test('the SDK knows nothing of the daemon, and has two packages at run time', () => {
  const sdk = imports('sdk/src')
  expect(sdk.filter(({ to }) => to.startsWith('daemon/'))).toEqual([])
  const packages = new Set(sdk.map(({ to }) => to).filter((to) => !/^(node:|sdk\/)/.test(to)))
  expect([...packages].sort()).toEqual(['ini', 'msgpackr'])
  const { dependencies } = JSON.parse(readFileSync(join(root, 'sdk/package.json'), 'utf8'))
  expect(Object.keys(dependencies).sort()).toEqual(['ini', 'msgpackr'])
})

test('the website of the demo uses the SDK as an outsider would', () => {
  const inside = imports('demosite/src').filter(({ to }) => /^(daemon|sdk)\//.test(to))
  expect(inside).toEqual([])
})

test.each([
  ['commands', commands],
  ['admin/commands', adminCommands],
  ['oxd/commands', oxdCommands],
])('every file of %s/ is a command of its name, and the other way round', (folder, table) => {
  const files = sources(`daemon/src/${folder}`).map((path) => path.replace(/^.*\/|\.ts$/g, ''))
  expect(files.filter((name) => name !== 'index').sort()).toEqual(Object.keys(table).sort())
})

test('S31 nonces and hashes of ID Tokens are compared in one way, which takes the same time always', () => {
  const text = readFileSync(join(root, 'daemon/src/op/id_token.ts'), 'utf8')
  const equals = text.split('\n').filter((line) => /[!=]==/.test(line))
  const secret = String.raw`\b(?:nonce|hash|half|\w+_hash)\b`
  const insecure = new RegExp(`${secret}['\\])]* [!=]== (?!undefined)|[!=]== [\\w.['(]*${secret}`)
  expect('if (claims.nonce !== nonce) {').toMatch(insecure)
  expect(equals.filter((line) => insecure.test(line))).toEqual([])
  expect(text.match(/isSameText\(/g)).toHaveLength(4)
  expect(text).toContain('return sameDigest(')
  const digest = readFileSync(join(root, 'daemon/src/digest.ts'), 'utf8')
  expect(digest).toMatch(/sameDigest\([^}]*timingSafeEqual\(one, other\)/)
})

test('every file begins with a sentence on what it is for', () => {
  const silent = ['sdk/src', 'daemon/src', 'demosite/src', 'tools/src']
    .flatMap(sources)
    .filter((path) => {
      const text = readFileSync(join(root, path), 'utf8').replace(/^#!.*\n|^\/\/ GENERATED.*\n/, '')
      return !path.includes('/commands/') && !text.startsWith('/**')
    })
  expect(silent).toEqual([])
})
