/** Frames that are nearly right: requests of every command, bent as values and as bytes. */
import fc from 'fast-check'
import { encodeMsgpack } from '../../sdk/src/framing/index.js'
import { exampleParams, misfitsOf, type Params, table } from './declared.js'
import { framed } from './peer.js'
import type { Random } from './random.js'
import { redirect_uri } from './site.js'
import type { DialectName } from './wire.js'

/** What requests of a run can refer to, so that some get past the first checks. */
export interface Known {
  /** Sites that may be used up. */
  sites: string[]
  sessions: string[]
  /** Callbacks of logins that wait. */
  callbacks: string[]
}

type Request = { id: unknown; command: unknown; params: unknown; [more: string]: unknown }

/** Values of every shape, drawn once: drawing is slower than sending. */
const arbitrary = fc.sample(
  fc.oneof(
    fc.anything(),
    fc.jsonValue({ maxDepth: 5 }),
    fc.string({ unit: 'binary' }),
    fc.double(),
    fc.constantFrom<unknown>(null, '', [], {}, -0, 1e308, 2 ** 63, '\0', '\ud800', '🗝'),
    // What trips whoever takes a value for what it looks like.
    fc.constantFrom<unknown>({ toString: 1 }, { valueOf: [] }, { length: -1 }, { toJSON: 1 }),
    fc.constantFrom<unknown>(deep(33), deep(31), 'x'.repeat(5000), Array(101).fill('x')),
  ),
  { numRuns: 3000, seed: fc.readConfigureGlobal().seed as number },
)

const names = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'length',
  'id',
  'params',
  '',
  '\n',
  '\0',
]

/** A frame with its delimiter or length, and nothing beside it: whatever is in it, the next one is found. */
export function fuzzedFrame(dialect: DialectName, random: Random, known: Known): Buffer {
  const body = fuzzedBody(dialect, random, known)
  return dialect === 'json' ? Buffer.concat([body, LINE_FEED]) : framed(body)
}

/** A frame that says something else of its length, so that what follows is read as what it is not. */
export function lyingFrame(random: Random, known: Known): Buffer {
  const body = fuzzedBody('msgpack', random, known)
  const lies = [0, 1, 2 ** 20, 2 ** 20 + 1, 2 ** 31, 2 ** 32 - 1, body.length - 1, body.length + 1]
  return framed(body, Math.max(0, random.pick([...lies, random.below(2 ** 32)])))
}

const LINE_FEED = Buffer.from('\n')

function fuzzedBody(dialect: DialectName, random: Random, known: Known): Buffer {
  switch (random.below(10)) {
    case 0:
      return packed(dialect, request(random, known))
    case 1:
      return packed(dialect, random.pick(arbitrary))
    case 2:
      return Buffer.from(Array.from({ length: random.below(64) }, () => random.below(256)))
    case 3:
    case 4:
    case 5:
    case 6:
      return packed(dialect, bentValue(request(random, known), random))
    case 7:
      return splice(fuzzedBody(dialect, random, known), fuzzedBody(dialect, random, known), random)
    default: {
      let body = packed(dialect, request(random, known))
      for (let times = random.below(3); times >= 0; times -= 1) {
        body = bentBytes(dialect, body, random)
      }
      return body
    }
  }
}

function request(random: Random, known: Known): Request {
  const [name, command] = random.pick(table)
  const params: Params = exampleParams(command, {
    authorization_redirect_uri: redirect_uri,
    post_logout_redirect_uri: redirect_uri,
    redirect_uris: [redirect_uri],
    client_id: 'issued',
    client_secret: 'a secret that nobody uses',
    idempotency_key: `${random.below(2 ** 32)}`,
    prompt: 'login',
    // One in many, or the run would mostly wait for the OP, or be without sites.
    session_id: random.oneIn(50) ? random.pick(known.sessions) : 'x',
    callback: random.oneIn(5) ? random.pick(known.callbacks) : `${redirect_uri}?state=x&code=y`,
    oxd_id: name === 'remove_site' && !random.oneIn(500) ? 'x' : random.pick(known.sites),
  })
  // Another OP would be called.
  delete params['op_host']
  delete params['op_discovery_path']
  return { id: random.below(2 ** 20), command: name, params }
}

/** One member, at any depth, removed, renamed or replaced. */
function bentValue(value: Request, random: Random): unknown {
  const params = value.params as Params
  for (let times = random.below(3); times >= 0; times -= 1) {
    // Nearly always below the envelope, whose own faults are soon all found.
    bendWithin(random.oneIn(8) ? value : params, random)
  }
  return value
}

function bendWithin(value: Record<string, unknown>, random: Random): void {
  const members = Object.keys(value)
  const name = members.length > 0 ? random.pick(members) : random.pick(names)
  // Never what it inherits: this process wants its prototypes as they are.
  const inner = Object.hasOwn(value, name) ? value[name] : undefined
  // Params hold most of what there is to bend.
  if (typeof inner === 'object' && inner !== null && !random.oneIn(4)) {
    bendWithin(inner as Record<string, unknown>, random)
    return
  }
  switch (random.below(6)) {
    case 0:
      Reflect.deleteProperty(value, name)
      break
    case 1:
      put(value, random.pick(names), inner)
      break
    case 2:
      put(value, name, structuredClone(random.pick(misfits)))
      break
    case 3:
      put(value, random.pick(names), structuredClone(random.pick(arbitrary)))
      break
    default:
      put(value, name, structuredClone(random.pick(arbitrary)))
  }
}

/** As an own property, which an assignment would not make of __proto__. */
function put(object: object, name: string, value: unknown): void {
  Object.defineProperty(object, Array.isArray(object) ? 0 : name, {
    value,
    enumerable: true,
    configurable: true,
    writable: true,
  })
}

/** Of every kind of parameter there is. */
const misfits = table.flatMap(([, { params }]) =>
  Object.values(params).flatMap(({ schema }) =>
    misfitsOf(schema).flatMap(([what, value]) => (what.includes('too l') ? [] : [value])),
  ),
)

function bentBytes(dialect: DialectName, body: Buffer, random: Random): Buffer {
  const at = random.below(body.length + 1)
  const end = Math.min(body.length, at + 1 + random.below(8))
  const [before, cut, after] = [body.subarray(0, at), body.subarray(at, end), body.subarray(end)]
  switch (random.below(6)) {
    case 0: {
      const flipped = Buffer.from(body)
      if (at < flipped.length) flipped[at] = (flipped[at] as number) ^ (1 << random.below(8))
      return flipped
    }
    case 1:
      return Buffer.concat([before, after])
    case 2:
      return before
    case 3:
      return Buffer.concat([before, ...Array<Buffer>(random.below(20)).fill(cut), after])
    case 4:
      return Buffer.concat([before, random.pick(tokens[dialect]), cut, after])
    default:
      return Buffer.concat([before, random.pick(tokens[dialect]), after])
  }
}

/** What means something in a dialect: JSON's signs, msgpack's types. */
const tokens: Record<DialectName, Buffer[]> = {
  json: [
    ...[
      '{',
      '}',
      '[',
      ']',
      '"',
      ',',
      ':',
      '\\',
      '\n',
      '\r',
      ' ',
      'null',
      'true',
      '-',
      '0',
      '1e999',
    ],
    ...[
      '\\ud800',
      '\\u0000',
      '"__proto__":',
      '"id":',
      '"params":{',
      '9'.repeat(400),
      '['.repeat(40),
    ],
  ].map((text) => Buffer.from(text)),
  msgpack: [
    ...[
      'c0',
      'c1',
      'c2',
      'c4',
      'c7',
      'c8',
      'c9',
      'ca',
      'cb',
      'cc',
      'cf',
      'd0',
      'd3',
      'd4',
      'd6',
      'd8',
    ],
    ...[
      'd9',
      'da',
      'db',
      'dc',
      'dd',
      'de',
      'df',
      '80',
      '81',
      '8f',
      '90',
      '91',
      '9f',
      'a0',
      'a1',
      'bf',
    ],
    ...[
      'dbffffffff',
      'ddffffffff',
      'dfffffffff',
      'dc0000',
      'd6ff00000000',
      'd47240',
      'c70065',
      'ff',
    ],
    ...['cb7ff0000000000000', 'cb7ff8000000000000', 'cfffffffffffffffff', '91'.repeat(40)],
  ].map((hex) => Buffer.from(hex, 'hex')),
}

function splice(one: Buffer, other: Buffer, random: Random): Buffer {
  return Buffer.concat([
    one.subarray(0, random.below(one.length + 1)),
    other.subarray(random.below(other.length + 1)),
  ])
}

function packed(dialect: DialectName, value: unknown): Buffer {
  if (dialect === 'msgpack') return encodeMsgpack(value).subarray(4)
  // With its lone surrogates, unlike our encoder.
  return Buffer.from(JSON.stringify(value) ?? 'undefined')
}

function deep(levels: number): unknown {
  return levels === 0 ? 1 : [deep(levels - 1)]
}
