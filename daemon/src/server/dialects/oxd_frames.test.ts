/** oxd's frames, however their length is counted and wherever they are cut; and replies that every client can read. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { RequestFrame } from './dialect.js'
import { encodeOxd, OxdDecoder } from './oxd_frames.js'

type Count = (body: string) => number

const counts: Record<string, Count> = {
  bytes: (body) => Buffer.byteLength(body),
  'UTF-16 units': (body) => body.length,
  characters: (body) => [...body].length,
}

/** What clients make of a length. */
const prefixes: Record<string, (length: number) => string> = {
  'four digits': (length) => String(length).padStart(4, '0'),
  'a zero before': (length) => (length <= 999 ? `0${length}` : `${length}`),
  'two zeros before': (length) => (length <= 100 ? `00${length}` : `0${length}`),
  'five digits': (length) => String(length).padStart(5, '0'),
}

function read(chunks: Iterable<Buffer>): unknown[] {
  const decoder = new OxdDecoder()
  const frames = [...chunks].flatMap((chunk) => decoder.push(chunk))
  return frames.map((frame) => ('message' in frame ? frame.message : outlined(frame)))
}

function outlined(frame: RequestFrame): unknown {
  return 'error' in frame && frame.error.fatal ? 'lost' : 'invalid'
}

function* cut(bytes: Buffer, sizes: number[]): Generator<Buffer> {
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const size = sizes[turn % sizes.length] as number
    yield bytes.subarray(at, at + size)
    at += size
  }
}

function bytewise(text: string | Buffer): Buffer[] {
  return [...Buffer.from(text)].map((byte) => Buffer.of(byte))
}

const body = fc
  .record({
    command: fc.string({ unit: 'grapheme' }),
    params: fc.jsonValue({ maxDepth: 4, noUnicodeString: false }),
  })
  .map((message) => JSON.stringify(message))
  // Half of a surrogate pair is no UTF-8; __proto__ is not compared by what it is.
  .filter((text) => text.isWellFormed() && !text.includes('__proto__'))

test('any split, either count and any prefix give the same messages', () => {
  const frame = fc
    .tuple(
      body,
      fc.constantFrom(...Object.values(counts)),
      fc.constantFrom(...Object.values(prefixes)),
      fc.constantFrom('', '\n', ' \r\n', '\t\t\t'),
      fc.boolean(),
      fc.constantFrom('', '\n', '  '),
    )
    .map(([text, count, prefix, before, isCounted, behind]) => ({
      text,
      bytes: `${prefix(count(isCounted ? before + text : text))}${before}${text}${behind}`,
    }))
  const sizes = fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1 })
  const distinct = fc.uniqueArray(frame, {
    minLength: 1,
    maxLength: 4,
    selector: ({ text }) => text,
  })
  fc.assert(
    fc.property(distinct, sizes, (frames, sizes) => {
      const bytes = Buffer.from(frames.map((one) => one.bytes).join(''))
      const messages = frames.map(({ text }) => JSON.parse(text))
      expect(read([bytes])).toEqual(messages)
      expect(read(cut(bytes, sizes))).toEqual(messages)
    }),
    { numRuns: 500 },
  )
})

test('trap 5: spaces that are counted, and a length of 100 as oxd-node writes it', () => {
  const long = `{"command":"${'x'.repeat(86)}"}`
  expect(long).toHaveLength(100)
  expect(read([Buffer.from(`00100${long}0012{"id":5}    045{"id":5}${' '.repeat(37)}`)])).toEqual([
    JSON.parse(long),
    { id: 5 },
    { id: 5 },
  ])
})

test('a body of multi-byte characters counted in units arrives at its last byte, and not before', () => {
  const text = '{"a":"漢字🙂"}'
  const frame = Buffer.from(`00${text.length}${text}`)
  const decoder = new OxdDecoder()
  for (const byte of frame.subarray(0, -1)) expect(decoder.push(Buffer.of(byte))).toEqual([])
  expect(decoder.push(frame.subarray(-1))).toMatchObject([{ message: { a: '漢字🙂' } }])
  expect(decoder.pending).toBe(0)
})

test('the longest frames are read, in either count, a byte at a time', () => {
  const padding = (99_999 - '{"a":""}'.length) / '漢'.length
  const text = `{"a":"${'漢'.repeat(padding)}"}`
  expect(text).toHaveLength(99_999)
  const began = performance.now()
  expect(read(bytewise(`99999${text}0002{}`))).toEqual([JSON.parse(text), {}])
  // Reading each byte anew with all before it takes minutes.
  expect(performance.now() - began).toBeLessThan(5000)
})

describe('what cannot be read', () => {
  test.each([
    ['no JSON', '0005hello', ['invalid']],
    ['an object cut short', '0009{"a":"bcd', ['invalid']],
    ['an object and more', '0013{"id":5}{"a" ', ['invalid']],
    ['two objects', '0004{}{}', ['invalid']],
    ['a blank body', '0004    ', ['invalid']],
    ['a blank line', '0001\n', ['invalid']],
    ['not UTF-8', Buffer.from('0009{"a":"\xfc"}', 'latin1'), ['invalid']],
    ['a bracket too many', '0009{"id":5}}', ['invalid']],
  ])('%s is told, and the next frame read', (_, bytes, expected) => {
    const stream = Buffer.concat([Buffer.from(bytes), Buffer.from('0008{"id":5}')])
    expect(read([stream])).toEqual([...expected, { id: 5 }])
    expect(read(bytewise(stream))).toEqual([...expected, { id: 5 }])
    // Nobody has to send more to be told.
    expect(read([Buffer.from(bytes)])).toEqual(expected)
  })

  test.each([
    ['no length', '{"id":5}'],
    ['a length without digits', 'abcd{"id":5}'],
    ['a length of six digits', '000008{"id":5}'],
    ['a body of digits', '00081234'],
    ['a length of nothing before a body', '0000{"id":5}'],
    ['too many characters', '0008{"a":"é"}'],
  ])('%s loses the frames behind', (_, bytes) => {
    expect(read([Buffer.from(bytes)]).at(-1)).toBe('lost')
  })

  test('nesting is read down to the limit and refused below it', () => {
    const nested = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`
    const frame = (text: string) => Buffer.from(`${String(text.length).padStart(4, '0')}${text}`)
    const [deep, deeper] = [nested(32), nested(33)]
    expect(read([frame(deep), frame(deeper), frame('{}')])).toEqual([
      JSON.parse(deep),
      'invalid',
      {},
    ])
  })

  test('arbitrary bytes throw nothing, and give the same frames however they are cut', () => {
    const part = fc.oneof(
      fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes)),
      fc
        .string({ unit: fc.constantFrom(...'0123{}[]"\\: \nü漢🙂'), maxLength: 12 })
        .map(Buffer.from),
      fc.constantFrom('0008{"id":5}', '0002{}', '0009{"a":"é"}', '9{"a":"é"}').map(Buffer.from),
    )
    const untilLost = (frames: unknown[]) => {
      const end = frames.indexOf('lost')
      return end === -1 ? frames : frames.slice(0, end + 1)
    }
    fc.assert(
      fc.property(
        fc.array(part, { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 }),
        (parts, sizes) => {
          const bytes = Buffer.concat(parts)
          expect(untilLost(read(cut(bytes, sizes)))).toEqual(untilLost(read([bytes])))
        },
      ),
      { numRuns: 2000 },
    )
  })
})

describe('the mark of a frame', () => {
  const marks = (chunks: Iterable<Buffer>) => {
    const decoder = new OxdDecoder()
    return [...chunks].flatMap((chunk) => decoder.push(chunk)).map(({ mark }) => mark)
  }

  test('says where it began and what it was, however it is cut', () => {
    const bytes = Buffer.from('0008{"id":5}\r\n0008{"id":5}0003abc 0003abc0009{"a":"é"}')
    const whole = marks([bytes])
    expect(whole.map((mark) => mark?.at)).toEqual([0, 14, 26, 34, 41])
    const [first, again, bad, bad_again, other] = whole.map((mark) => mark?.digest)
    expect([again, bad_again]).toEqual([first, bad])
    expect(new Set([first, bad, other]).size).toBe(3)
    expect(marks(bytewise(bytes))).toEqual(whole)
  })

  test('the same body with another length is another request', () => {
    const [one, other] = marks([Buffer.from('0008{"id":5}008{"id":5}')])
    expect(one?.digest).not.toBe(other?.digest)
  })
})

describe('replies', () => {
  const reply = (data: unknown) => ({ status: 'ok', data })
  const text = (message: unknown) => encodeOxd(message).toString('latin1')

  test('trap 3: whatever they say, they are ASCII, and their length is that of what follows', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false, maxDepth: 6 }), (value) => {
        fc.pre(!JSON.stringify(value).includes('__proto__'))
        const message = JSON.parse(JSON.stringify(reply(value)))
        const bytes = encodeOxd(message)
        fc.pre(bytes.length <= 10_003)
        expect(bytes.every((byte) => byte < 0x80)).toBe(true)
        expect(Number(bytes.toString('latin1', 0, 4))).toBe(bytes.length - 4)
        // Without halves of surrogate pairs, which come as U+FFFD.
        if (JSON.stringify(message).isWellFormed() && !JSON.stringify(message).includes('\\ud')) {
          expect(JSON.parse(bytes.toString('latin1', 4))).toEqual(message)
        }
      }),
    )
    expect(JSON.parse(text(reply('Zürich 漢字 🙂 \u2028')).slice(4)).data).toBe(
      'Zürich 漢字 🙂 \u2028',
    )
  })

  test('half of a surrogate pair is no trouble for anyone', () => {
    expect(text(reply(['\ud800', '🗝']))).toContain('["\\ufffd","\\ud83d\\udddd"]')
  })

  test('trap 6: the four digits of the length stand nowhere else', () => {
    for (let width = 0; width < 2000; width += 1) {
      // The length itself, and those that padding would make of it.
      const about = `${width + 40} 00${width + 41}0${width + 42}${width + 100}`
      const frame = text(reply(about.padEnd(width)))
      const left = frame.replaceAll(frame.slice(0, 4), '')
      expect(JSON.parse(left)).toEqual(reply(about.padEnd(width)))
    }
  })

  test('trap 6: where every length is in the reply, others can still read it, and no time is lost', () => {
    const numbers = Array.from({ length: 2000 }, (_, i) => String(8000 + i)).join('')
    const began = performance.now()
    const frame = text(reply(numbers))
    expect(performance.now() - began).toBeLessThan(200)
    expect(frame.slice(0, 4)).toBe(String(frame.length - 4))
    expect(JSON.parse(frame.slice(4))).toEqual(reply(numbers))
  })

  test('trap 4: the longest has 9999 characters; a longer one shows by its length', () => {
    const envelope = JSON.stringify(reply('')).length
    const longest = text(reply('x'.repeat(9999 - envelope)))
    expect(longest.slice(0, 4)).toBe('9999')
    expect(longest).toHaveLength(10_003)
    expect(encodeOxd(reply('x'.repeat(10_000 - envelope))).length).toBeGreaterThan(10_003)
  })
})
