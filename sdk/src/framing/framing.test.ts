/** Frames survive any cut, in both dialects, and what is no frame is told apart from what is. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type Decoder,
  encodeJson,
  encodeMsgpack,
  type Frame,
  JsonDecoder,
  MAX_DEPTH,
  MAX_FRAME_BYTES,
  MsgpackDecoder,
} from './index.js'

const messages = [
  { id: 1, command: 'ping', params: {} },
  {
    id: 2,
    status: 'ok',
    data: { name: 'Zürich 漢字 🙂 \n \u2028', list: [1, -1, 2.5, null, true] },
  },
  { id: 2 ** 40, text: 'ß'.repeat(300), nested: { a: { b: [{ c: [] }] } } },
]

const dialects = [
  { dialect: 'json', encode: encodeJson, newDecoder: (): Decoder => new JsonDecoder() },
  { dialect: 'msgpack', encode: encodeMsgpack, newDecoder: (): Decoder => new MsgpackDecoder() },
]

function faultOf([frame]: Frame[]): unknown {
  return frame && 'error' in frame ? frame.error : undefined
}

/** A connection ends there; what a decoder says afterwards, nobody asks. */
function untilFatal(frames: Frame[]): unknown[] {
  const end = frames.findIndex((frame) => 'error' in frame && frame.error.fatal)
  return (end === -1 ? frames : frames.slice(0, end + 1)).map((frame) =>
    'error' in frame ? frame.error.message : frame,
  )
}

function nested(depth: number): unknown {
  let value: unknown = 0
  for (let level = 0; level < depth; level += 1) value = level % 2 ? { a: value } : [value]
  return value
}

describe.each(dialects)('$dialect', ({ encode, newDecoder }) => {
  const stream = Buffer.concat(messages.map(encode))
  const frames = messages.map((message) => ({ message }))

  test('frames are read across every split point', () => {
    for (let at = 0; at <= stream.length; at += 1) {
      const decoder = newDecoder()
      const read = [...decoder.push(stream.subarray(0, at)), ...decoder.push(stream.subarray(at))]
      expect(read).toEqual(frames)
    }
  })

  test('frames are read at every chunk size', () => {
    for (let size = 1; size <= 64; size += 1) {
      const decoder = newDecoder()
      const read: Frame[] = []
      for (let at = 0; at < stream.length; at += size) {
        read.push(...decoder.push(stream.subarray(at, at + size)))
      }
      expect(read).toEqual(frames)
    }
  })

  test('whatever JSON can express comes back as it was', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 8, noUnicodeString: false }), (value) => {
        // A name of its own, below.
        fc.pre(!JSON.stringify(value).includes('__proto__'))
        const asJson: unknown = JSON.parse(JSON.stringify(value))
        expect(newDecoder().push(encode(asJson))).toEqual([{ message: asJson }])
      }),
    )
  })

  test('a member named __proto__ changes no prototype', () => {
    const hostile: unknown = JSON.parse('{"__proto__":{"polluted":true},"a":1}')
    const [frame] = newDecoder().push(encode(hostile))
    const { message } = frame as { message: { a: number; polluted?: boolean } }
    expect(message.a).toBe(1)
    expect(message.polluted).toBe(undefined)
    expect(Object.getPrototypeOf(message)).toBe(Object.prototype)
  })

  test('members named as methods are data', () => {
    const message = { constructor: 1, toJSON: 1, toString: [], valueOf: {}, hasOwnProperty: 'a' }
    expect(newDecoder().push(encode({ data: message }))).toEqual([{ message: { data: message } }])
  })

  test('absent members stay absent', () => {
    expect(newDecoder().push(encode({ a: undefined, b: 1 }))).toEqual([{ message: { b: 1 } }])
  })

  test('arbitrary bytes throw nothing, and give the same frames however they are cut', () => {
    // Half of the streams are made of parts of frames, which get further than noise.
    const part = fc.oneof(
      fc.uint8Array({ maxLength: 24 }).map((bytes) => Buffer.from(bytes)),
      fc.constantFrom(...messages).map(encode),
      fc
        .tuple(fc.constantFrom(...messages).map(encode), fc.nat(400), fc.nat(255))
        .map(([bytes, at, byte]) => {
          bytes[at % bytes.length] = byte
          return bytes
        }),
    )
    fc.assert(
      fc.property(
        fc.array(part, { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1 }),
        (parts, sizes) => {
          const bytes = Buffer.concat(parts)
          const whole = untilFatal(newDecoder().push(bytes))
          const decoder = newDecoder()
          const read: Frame[] = []
          for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
            const size = sizes[turn % sizes.length] as number
            read.push(...decoder.push(bytes.subarray(at, at + size)))
            at += size
          }
          expect(untilFatal(read)).toEqual(whole)
        },
      ),
      { numRuns: 2000 },
    )
  })

  test('half of a surrogate pair leaves as U+FFFD, and a whole one as it is', () => {
    const message = { ['\udc00k']: ['\ud800', 'x'.repeat(99), '🗝', '\\ud800', '한국어'] }
    expect(newDecoder().push(encode(message))).toEqual([
      { message: { '\ufffdk': ['\ufffd', 'x'.repeat(99), '🗝', '\\ud800', '한국어'] } },
    ])
  })

  test('an unfinished frame takes little more memory than its bytes, a byte at a time', () => {
    const bytes = encode('a'.repeat(1_000_000)).subarray(0, -2)
    const decoder = newDecoder()
    const before = process.memoryUsage()
    for (const byte of bytes) decoder.push(Buffer.of(byte))
    const after = process.memoryUsage()
    const grown = after.arrayBuffers - before.arrayBuffers + after.heapUsed - before.heapUsed
    expect(decoder.push(Buffer.alloc(0))).toEqual([])
    expect(grown).toBeLessThan(64 * 1024 * 1024)
  })

  test('nesting is read down to the limit and refused below it', () => {
    const deepest = nested(MAX_DEPTH)
    expect(newDecoder().push(encode(deepest))).toEqual([{ message: deepest }])
    expect(faultOf(newDecoder().push(encode(nested(MAX_DEPTH + 1))))).toMatchObject({
      code: 'invalid_frame',
      fatal: false,
      message: expect.stringContaining('nested deeper'),
    })
  })

  test('a malformed frame does not cost its neighbours', () => {
    const bad = encode(nested(MAX_DEPTH + 1))
    const read = newDecoder().push(Buffer.concat([encode(1), bad, encode(2)]))
    expect(read).toEqual([{ message: 1 }, { error: expect.any(Error) }, { message: 2 }])
  })
})

describe('json', () => {
  test('a line as long as the limit is read, a longer one is fatal before it ends', () => {
    const text = JSON.stringify('a'.repeat(MAX_FRAME_BYTES - 2))
    expect(new JsonDecoder().push(Buffer.from(`${text}\n`))).toHaveLength(1)
    expect(faultOf(new JsonDecoder().push(Buffer.from(`${text}a`)))).toMatchObject({
      code: 'frame_too_large',
      fatal: true,
    })
  })

  test('blank lines are skipped and carriage returns taken', () => {
    expect(new JsonDecoder().push(Buffer.from('\n \r\n{"a":1}\r\n'))).toEqual([
      { message: { a: 1 } },
    ])
  })

  test.each(['{', 'hello', "{'a':1}", '{"a":1}{"b":2}'])('%j is refused', (line) => {
    expect(faultOf(new JsonDecoder().push(Buffer.from(`${line}\n`)))).toMatchObject({
      code: 'invalid_frame',
      fatal: false,
    })
  })

  test('bytes that are not UTF-8 are refused', () => {
    expect(faultOf(new JsonDecoder().push(Buffer.from('"\xfc"\n', 'latin1')))).toMatchObject({
      code: 'invalid_frame',
    })
  })
})

describe('msgpack', () => {
  const framed = (...bytes: number[]) => {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(bytes.length)
    return Buffer.concat([length, Buffer.from(bytes)])
  }

  test('a frame as long as the limit is read, a longer one is fatal from its length on', () => {
    const text = 'a'.repeat(MAX_FRAME_BYTES - 5)
    expect(new MsgpackDecoder().push(encodeMsgpack(text))).toEqual([{ message: text }])
    const announced = encodeMsgpack(`${text}a`).subarray(0, 4)
    expect(faultOf(new MsgpackDecoder().push(announced))).toMatchObject({
      code: 'frame_too_large',
      fatal: true,
    })
  })

  test.each([
    ['fixext 1', [0xd4, 0x01, 0x00]],
    ['a record definition', [0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61, 0x01]],
    ['a timestamp', [0xd6, 0xff, 0, 0, 0, 0]],
    ['ext 8', [0xc7, 0x01, 0x05, 0x00]],
    ['ext 32', [0xc9, 0, 0, 0, 0, 0x05]],
    ['a string that is not UTF-8', [0xa2, 0xc3, 0x28]],
    ['a long one', [0xd9, 70, ...Array(69).fill(0x61), 0xff]],
    ['a surrogate', [0xa3, 0xed, 0xa0, 0x80]],
    ['a key that is not UTF-8', [0x81, 0xa1, 0xff, 0x01]],
    ['bin 8', [0xc4, 0x01, 0x00]],
    ['the unused type', [0xc1]],
    ['a key that is a number', [0x81, 0x01, 0x01]],
    ['a string cut short', [0xa5, 0x61]],
    ['a map cut short', [0x82, 0xa1, 0x61, 0x01]],
    ['an array without end', [0xdd, 0xff, 0xff, 0xff, 0xff]],
    ['bytes behind the value', [0x01, 0x02]],
    ['nothing', []],
  ])('%s is refused', (_, bytes) => {
    expect(faultOf(new MsgpackDecoder().push(framed(...bytes)))).toMatchObject({
      code: 'invalid_frame',
      fatal: false,
    })
  })

  test('a million arrays in one another do not overflow the stack', () => {
    const bytes = Buffer.alloc(1_000_004, 0x91)
    bytes.writeUInt32BE(1_000_000)
    expect(faultOf(new MsgpackDecoder().push(bytes))).toMatchObject({ code: 'invalid_frame' })
  })

  test('64-bit integers are read as numbers', () => {
    const bytes = framed(0xcf, 0, 0, 0x01, 0, 0, 0, 0, 0)
    expect(new MsgpackDecoder().push(bytes)).toEqual([{ message: 2 ** 40 }])
  })
})
