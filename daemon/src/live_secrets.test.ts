import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { HIDDEN, LiveSecrets } from './live_secrets.js'

const random = (bytes = 24) => randomBytes(bytes).toString('base64url')

function noted(...secrets: string[]): LiveSecrets {
  const live = new LiveSecrets()
  for (const secret of secrets) live.note(secret)
  return live
}

test('a text without secrets stays as it is', () => {
  const text = 'a 語 line {"of":"a log"} with [secret] and e5f6g7h8'
  expect(noted('a1b2c3d4').hide(text)).toBe(text)
  expect(new LiveSecrets().hide('')).toBe('')
})

test('a secret goes wherever it stands, every time, and what is around it stays', () => {
  const live = noted('a1b2c3d4')
  expect(live.hide('a1b2c3d4')).toBe(HIDDEN)
  expect(live.hide('<a1b2c3d4> xa1b2c3d4a1b2c3d4語')).toBe(`<${HIDDEN}> x${HIDDEN}${HIDDEN}語`)
  expect(live.hide('1b2c3d4 a1b2c3d A1B2C3D4')).toBe('1b2c3d4 a1b2c3d A1B2C3D4')
})

test('of secrets that overlap, no piece is left', () => {
  const live = noted(
    'first-secret',
    'secret-second',
    'begin first-secret-second-end',
    '-end of all',
  )
  expect(live.hide('x first-secret-second y')).toBe(`x ${HIDDEN} y`)
  expect(live.hide('x first-secret first-secret-second')).toBe(`x ${HIDDEN} ${HIDDEN}`)
  expect(live.hide('x begin first-secret-second-end of all y')).toBe(`x ${HIDDEN} y`)
})

test('secrets that begin alike, as JWTs do, are told apart', () => {
  const jwts = Array.from({ length: 3000 }, () => `eyJhbGciOiJSUzI1NiJ9.${random(60)}`)
  const live = noted(...jwts)
  for (const jwt of jwts) expect(live.hide(`${jwt}.`)).toBe(`${HIDDEN}.`)
  expect(live.hide('eyJhbGciOiJSUzI1NiJ9.')).toBe('eyJhbGciOiJSUzI1NiJ9.')
})

test('secrets that end alike are hidden too, however many they are', () => {
  const secrets = Array.from({ length: 5000 }, (_, index) => `${index} ${random(6)}.example.org`)
  const live = noted(...secrets)
  for (const secret of secrets) expect(live.hide(`it is ${secret}!`)).not.toContain(secret)
  expect(live.hide('www.example.com')).toBe('www.example.com')
})

describe('finds a secret in the form that it takes', () => {
  const secret = 'pa"ss\\wo rd+/=%&~é\n❤'

  test.each<[form: string, (text: string) => string]>([
    ['as it is', (text) => text],
    ['in JSON', (text) => JSON.stringify(text)],
    ['in JSON within JSON', (text) => JSON.stringify(JSON.stringify({ text }))],
    ['as Node prints it', (text) => inspect({ text })],
    ['in a URL', (text) => encodeURIComponent(text)],
    ['in a form', (text) => new URLSearchParams({ text }).toString()],
  ])('%s', (_, write) => {
    const written = noted(secret).hide(write(`<${secret}>`))
    expect(written).toContain(HIDDEN)
    expect(written).toBe(write('<>').replace(/(<|%3C)(?=>|%3E)/, `$1${HIDDEN}`))
  })

  test('whatever it is made of', () => {
    const written = fc.constantFrom<(text: string) => string>(
      (text) => text,
      JSON.stringify,
      (text) => encodeURIComponent(text),
      (text) => new URLSearchParams({ text }).toString(),
    )
    const text = fc.string({ unit: 'grapheme', minLength: 8, maxLength: 40 })
    fc.assert(
      fc.property(text, fc.string(), fc.string(), written, (secret, before, after, write) => {
        const inside = write(secret).replace(/^"|"$|^text=/g, '')
        expect(noted(secret).hide(write(before + secret + after))).not.toContain(inside)
      }),
    )
  })
})

test('values inside JSON are hidden one by one, names and numbers among them', () => {
  const live = noted('a1b2c3d4', '12345678')
  expect(
    live.hideIn({ a: ['x a1b2c3d4', 12345678, null, true], a1b2c3d4: { b: 1234567 } }),
  ).toEqual({ a: [`x ${HIDDEN}`, HIDDEN, null, true], [HIDDEN]: { b: 1234567 } })
})

test('short values, and what is no text, are let be', () => {
  const live = new LiveSecrets()
  for (const value of ['openid', '', undefined, null, 12345678, ['a1b2c3d4']]) live.note(value)
  expect(live.hide('openid 12345678 a1b2c3d4')).toBe('openid 12345678 a1b2c3d4')
})

test('of an object, the members are noted that the specifications call secret', () => {
  const live = new LiveSecrets()
  live.noteMembers({ client_secret: 'a1b2c3d4', scope: 'openid profile', expires_in: 3600 })
  expect(live.hide('a1b2c3d4 openid profile')).toBe(`${HIDDEN} openid profile`)
})

test('what is used goes on being hidden, what is not is forgotten, and a key never is', () => {
  const key = randomBytes(32)
  const live = noted('used-again', 'used-once')
  live.pin(key)
  for (let more = 0; more < 50_000; more += 1) {
    if (more % 1000 === 0) live.note('used-again')
    live.note(random())
  }
  expect(live.hide('used-again used-once')).toBe(`${HIDDEN} used-once`)
  for (const encoding of ['base64url', 'base64', 'hex'] as const) {
    expect(live.hide(`key ${key.toString(encoding)}`)).toBe(`key ${HIDDEN}`)
  }
})

test('ten thousand later secrets do not displace one, nor do long ones fill the memory', () => {
  const live = noted('a1b2c3d4')
  for (let more = 0; more < 10_000; more += 1) live.note(random())
  expect(live.hide('a1b2c3d4')).toBe(HIDDEN)
  for (let more = 0; more < 400; more += 1) live.note('x'.repeat(1 << 16) + random())
  expect(live.hide('a1b2c3d4')).toBe('a1b2c3d4')
})

test('of a long secret the end tells, and all of it is hidden', () => {
  const secret = Array.from({ length: 20 }, random).join('')
  const live = noted(secret)
  expect(live.hide(`before ${secret} after`)).toBe(`before ${HIDDEN} after`)
})

describe('a private key', () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const pkcs1 = privateKey.export({ type: 'pkcs1', format: 'pem' }).toString()
  const der = privateKey.export({ type: 'pkcs8', format: 'der' })
  const jwk = privateKey.export({ format: 'jwk' })

  test.each<[written: string, text: string]>([
    ['whole', pkcs8],
    ['in JSON', JSON.stringify({ private_key: pkcs8 })],
    ['without line breaks', pkcs8.replaceAll('\n', '')],
    ['with the line breaks of another system', pkcs8.replaceAll('\n', '\r\n')],
    ['as hex', der.toString('hex')],
    ['as base64url', der.toString('base64url')],
    ['as a JWK', JSON.stringify(jwk)],
    ['line by line', pkcs8.split('\n').join('" + "')],
  ])('is hidden %s', (_, text) => {
    for (const given of [pkcs8, pkcs1, JSON.stringify(jwk)]) {
      const live = new LiveSecrets()
      live.notePrivateKey(given)
      const hidden = live.hide(`the key ${text} is here`)
      const lines = pkcs8.split('\n').filter((line) => !line.startsWith('-----') && line !== '')
      for (const secret of [...lines, der.toString('hex'), jwk.d, jwk.p, jwk.q, jwk.qi]) {
        if (lines.at(-1) !== secret) expect(hidden).not.toContain(secret)
      }
    }
  })

  test('that is used goes on being hidden, at little cost', () => {
    const live = new LiveSecrets()
    live.notePrivateKey(pkcs8)
    for (let more = 0; more < 50_000; more += 1) {
      if (more % 1000 === 0) live.notePrivateKey(pkcs8)
      live.note(random())
    }
    expect(live.hide(`${jwk.d} ${der.toString('hex')}`)).toBe(`${HIDDEN} ${HIDDEN}`)
    const again = costOf(300, () => live.notePrivateKey(pkcs8))
    expect(again).toBeLessThan(costOf(30, () => new LiveSecrets().notePrivateKey(pkcs8)))
  })

  test('is known by the name under which it is stored', () => {
    const live = new LiveSecrets()
    live.noteMembers({ client_private_key: pkcs8, client_secret: 'another secret' })
    expect(live.hide(`${jwk.d} another secret`)).toBe(`${HIDDEN} ${HIDDEN}`)
  })

  test('that is none hides what was given, and throws nothing', () => {
    const live = new LiveSecrets()
    live.notePrivateKey('{"kty": "RSA", "d": 1}')
    live.notePrivateKey('-----BEGIN PRIVATE KEY-----\nnonsense\n-----END PRIVATE KEY-----')
    expect(live.hide('nonsense')).toBe(HIDDEN)
  })
})

/** In microseconds of the processor. */
function costOf(times: number, act: () => void): number {
  const before = process.cpuUsage()
  for (let time = 0; time < times; time += 1) act()
  const { user, system } = process.cpuUsage(before)
  return user + system
}
