/** What may be protected, and what is refused before anything is asked of an AS. */
import { describe, expect, test } from 'vitest'
import { CommandError } from '../errors.js'
import { readResources } from './resources.js'

const one = (condition: object, path: unknown = '/photos') => [{ path, conditions: [condition] }]
const get = (member: object) => one({ httpMethods: ['GET'], ...member })
const expression = {
  rule: { and: [{ or: [{ var: 0 }, { var: 1 }] }, { var: 2 }] },
  data: ['https://rs.example/all', 'https://rs.example/add', 'https://rs.example/internal'],
}

/** What oxdpython's ResourceSet dumps after its README's calls: set_scope with a text and with a list, set_expression, nothing. */
const dumped = [
  { path: '/photos', conditions: [{ httpMethods: ['GET'], scopes: ['view'] }] },
  { path: '/albums', conditions: [{ httpMethods: ['PUT'], scopes: ['edit', 'add'] }] },
  { path: 'docs', conditions: [{ httpMethods: ['GET'], scope_expression: expression }] },
  { path: '/open', conditions: [] },
]

test('what oxdpython dumps is read', () => {
  expect(readResources(dumped)).toEqual([
    {
      path: '/photos',
      conditions: [{ http_methods: ['GET'], scopes: ['view'], ticket_scopes: [] }],
    },
    {
      path: '/albums',
      conditions: [{ http_methods: ['PUT'], scopes: ['edit', 'add'], ticket_scopes: [] }],
    },
    {
      path: 'docs',
      conditions: [
        {
          http_methods: ['GET'],
          scopes: expression.data,
          ticket_scopes: [],
          scope_expression: expression,
        },
      ],
    },
    { path: '/open', conditions: [] },
  ])
})

test('nulls, members that nobody knows, methods in small letters and a text for a list are read as oxD read them', () => {
  const condition = {
    httpMethods: 'get',
    scopes: 'view',
    ticketScopes: ['all'],
    scope_expression: null,
    scopesAsString: 'x',
  }
  expect(readResources(one(condition))[0]?.conditions).toEqual([
    { http_methods: ['GET'], scopes: ['view'], ticket_scopes: ['all'] },
  ])
})

test('an expression may be a JSON text, stands before scopes, and an empty one is none', () => {
  const [read] = readResources(
    get({ scope_expression: JSON.stringify(expression), scopes: ['other'] }),
  )
  expect(read?.conditions[0]).toMatchObject({ scopes: expression.data })
  const [plain] = readResources(get({ scope_expression: {}, scopes: ['view'] }))
  expect(plain?.conditions[0]).not.toHaveProperty('scope_expression')
})

const scopes = { scopes: ['view'] }
const rule = (one: unknown, data: unknown = ['a', 'b']) =>
  get({ scope_expression: { rule: one, data } })

const deep = (levels: number): object =>
  Array.from({ length: levels }).reduce<object>((inner) => ({ '!': inner }), { var: 0 })

describe.each<[code: string, refused: [what: string, given: unknown[] | undefined][]]>([
  [
    'invalid_uma_request',
    [
      ['nothing', undefined],
      ['an empty list', []],
      ['paths without conditions', [{ path: '/a', conditions: [] }, { path: '/b' }]],
      ['a condition without scopes', get({})],
      ['a condition with no scope', get({ scopes: [] })],
      ['an empty expression alone', get({ scope_expression: {} })],
      [
        'more than is protected at a time',
        Array.from(
          { length: 101 },
          (_, index) => get(scopes).map((r) => ({ ...r, path: `/${index}` }))[0],
        ),
      ],
    ],
  ],
  [
    'invalid_path_parameter',
    [
      ['no path', [{ conditions: [{ httpMethods: ['GET'], ...scopes }] }]],
      ['a blank path', one({ httpMethods: ['GET'], ...scopes }, ' ')],
      ['a path that is no text', one({ httpMethods: ['GET'], ...scopes }, 7)],
      ['a path with half a character', one({ httpMethods: ['GET'], ...scopes }, '/\ud800')],
      ['a path too long', one({ httpMethods: ['GET'], ...scopes }, `/${'a'.repeat(2048)}`)],
    ],
  ],
  [
    'invalid_http_method',
    [
      ['no methods', one(scopes)],
      ['an empty list of them', one({ httpMethods: [], ...scopes })],
      ['a misspelt member', one({ httpMethod: ['GET'], ...scopes })],
      ['a blank one', one({ httpMethods: ['GET', ''], ...scopes })],
      ['two in one text', one({ httpMethods: ['GET, POST'], ...scopes })],
      ['a number', one({ httpMethods: [1], ...scopes })],
    ],
  ],
  [
    'http_method_not_unique',
    [
      ['in one condition', one({ httpMethods: ['GET', 'get'], ...scopes })],
      [
        'in two conditions',
        [
          {
            path: '/a',
            conditions: [
              { httpMethods: ['GET'], ...scopes },
              { httpMethods: ['POST', 'GET'], ...scopes },
            ],
          },
        ],
      ],
      [
        'of a path in other letters',
        [...get(scopes), ...one({ httpMethods: ['GET'], ...scopes }, '/PHOTOS')],
      ],
    ],
  ],
  [
    'invalid_scope_expressioin',
    [
      ['a text that is no JSON', get({ scope_expression: 'view' })],
      ['a list', get({ scope_expression: [expression] })],
      ['no rule', get({ scope_expression: { data: ['a'] } })],
      ['no data', get({ scope_expression: { rule: { var: 0 } } })],
      ['no scope in data', rule({ var: 0 }, [])],
      ['a scope that is no text', rule({ var: 0 }, [1])],
      ['a rule that is a text', rule('and')],
      ['two operators in an object', rule({ and: [{ var: 0 }], or: [{ var: 1 }] })],
      ['no operator', rule({ and: [{}] })],
      ['a var beyond data', rule({ and: [{ var: 0 }, { var: 2 }] })],
      ['a var beyond data, inside a list', rule({ and: [[{ var: 2 }]] })],
      ['a var below 0', rule({ var: -1 })],
      ['a var by name', rule({ var: 'a' })],
      ['a var of everything', rule({ var: '' })],
      ['a var with a default', rule({ var: [0, true] })],
      ['a rule that depends on no scope', rule({ '==': [1, 1] })],
      ['a rule too deep', rule(deep(33))],
    ],
  ],
  [
    'invalid_request',
    [
      ['a resource that is a text', ['/photos']],
      ['conditions that are a text', [{ path: '/a', conditions: 'GET' }]],
      ['conditions that are a number', [{ path: '/a', conditions: 1 }]],
      ['a scope that is no text', get({ scopes: [{}] })],
      ['a ticket scope that is blank', get({ ...scopes, ticketScopes: [''] })],
    ],
  ],
])('%s', (code, refused) => {
  test.each(refused)('%s', (_, given) => {
    expect(codeOf(given)).toBe(code)
  })
})

test('a rule may be as deep as it may be, and name places in each way of JsonLogic', () => {
  for (const one of [deep(30), { and: [{ var: '1' }, { var: [0] }] }]) {
    expect(readResources(rule(one))).toHaveLength(1)
  }
})

function codeOf(given: unknown[] | undefined): string {
  try {
    readResources(given)
  } catch (error) {
    if (error instanceof CommandError) return error.code
    throw error
  }
  return 'read'
}
