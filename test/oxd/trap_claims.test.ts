/** Traps 8, 9 and 12: what clients of each generation do with the members of a reply. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { BentOp } from '../support/bent_op/index.js'
import { type Data, OxdWorld } from '../support/oxd/oxd_world.js'

let world: OxdWorld<BentOp>

/** What namedtuple of Python 2.7 refuses as a field, whole: then the client has no reply at all. */
const NO_FIELDS = {
  'https://site.example/roles': ['admin'],
  'name#ja-Kana-JP': 'アリス',
  _internal: 1,
  class: '1b',
  print: true,
  None: 'none',
  'given-name': 'Alice',
  '2nd': 'x',
  größe: 170,
  '': 'x',
}

const CLAIMS = {
  ...NO_FIELDS,
  name: 'Alice \u00c5ngstr\u00f6m',
  updated_at: 1_767_225_600,
  email_verified: false,
  roles: ['admin', 7, ['nested'], null],
  address: { locality: 'Stockholm', 'postal-code': 11846, class: { _a: 1 } },
  none: [],
}

const LISTS = {
  sub: ['alice'],
  name: ['Alice \u00c5ngstr\u00f6m'],
  updated_at: ['1767225600'],
  email_verified: ['false'],
  roles: ['admin', '7', '["nested"]'],
  address: ['{"locality":"Stockholm","postal-code":11846,"class":{"_a":1}}'],
  none: [],
}

beforeAll(async () => {
  world = await OxdWorld.bent()
  world.op.user = CLAIMS
  world.op.more_claims = CLAIMS
})

afterAll(() => world[Symbol.asyncDispose]())

/** As a client of a generation gets them: from UserInfo, and twice from the ID Token. */
async function claimsFor(generation: '3.1' | '3.0' | '2.4'): Promise<Data[]> {
  using site = await world.site(generation)
  const { access_token, id_token, id_token_claims } = await site.logIn()
  const { claims } = await site.ok('get_user_info', { access_token })
  const status = await site.ok('id_token_status', { id_token })
  return [claims, id_token_claims, status.claims]
}

test('trap 12: every claim is a list of texts, whatever it was', async () => {
  for (const claims of await claimsFor('3.1')) {
    expect(claims).toMatchObject(LISTS)
    expect(claims).toMatchObject({
      'https://site.example/roles': ['admin'],
      _internal: ['1'],
      print: ['true'],
    })
    for (const list of Object.values(claims)) {
      expect(list).toEqual(expect.any(Array))
      for (const one of list as unknown[]) expect(one).toEqual(expect.any(String))
    }
  }
})

describe.each(['3.0', '2.4'] as const)('generation %s', (generation) => {
  test('trap 8: claims whose name no namedtuple can have are left out, and all others are there', async () => {
    for (const claims of await claimsFor(generation)) {
      expect(claims).toMatchObject(LISTS)
      const names = Object.keys(claims)
      expect(names.filter((name) => Object.hasOwn(NO_FIELDS, name))).toEqual([])
    }
  })
})

test('trap 9: what there is nothing to tell of is null, and not left out', async () => {
  using site = await world.site('3.1', { scope: ['openid'] })
  world.op.expires_in = undefined
  const callback = await site.callback({ prompt: null })
  const { searchParams } = callback
  world.op.bend({
    token: (answer) => ({
      ...answer,
      body: { ...(answer.body as object), refresh_token: undefined },
    }),
  })
  const tokens = await site.ok('get_tokens_by_code', Object.fromEntries(searchParams))
  world.op.straighten()
  expect(tokens).toMatchObject({ refresh_token: null, expires_in: -1 })
  const info = await site.ok('get_user_info', { access_token: tokens.access_token })
  expect(info).toMatchObject({ refresh_token: null, access_token: null })
  const refused = await site.refused('get_user_info')
  expect(refused).toMatchObject({
    error: expect.any(String),
    error_description: expect.any(String),
  })
})
