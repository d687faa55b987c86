/** Streams of oxd's frames, right and nearly right, of which it is known what each is answered. */
import type { Random } from '../random.js'
import type { OxdReply } from './oxd_wire.js'

/** A frame, and the code that it is answered; `ok` if none, and anything for the last, which may lie. */
interface FuzzedFrame {
  bytes: Buffer
  answer: 'ok' | string
}

export interface FuzzedStream {
  frames: FuzzedFrame[]
  /** Behind them: bytes that may be no frame. */
  last: Buffer
}

/** @param oxd_id of a site that may begin logins */
export function fuzzedStream(random: Random, length: number, oxd_id: string): FuzzedStream {
  const frames = Array.from({ length }, (_, i) => fuzzedFrame(random, i, oxd_id))
  return { frames, last: random.oneIn(2) ? lying(random) : Buffer.alloc(0) }
}

/** Cuts bytes into pieces, many of them very small. */
export function* cutAnywhere(bytes: Buffer, random: Random): Generator<Buffer> {
  for (let at = 0; at < bytes.length; ) {
    const size = 1 + random.below(random.pick([2, 6, 300, 3000, 100_000]))
    yield bytes.subarray(at, at + size)
    at += size
  }
}

/** Every reply in a stream. @throws Error for what is none */
export function oxdRepliesIn(bytes: Buffer): OxdReply[] {
  const replies: OxdReply[] = []
  for (let at = 0; at < bytes.length; ) {
    const prefix = bytes.toString('latin1', at, at + 4)
    const end = at + 4 + Number(prefix)
    if (!/^\d{4}$/.test(prefix) || end > bytes.length) {
      throw new Error(`no frame: ${bytes.toString('utf8', at, at + 100)}`)
    }
    replies.push(JSON.parse(bytes.toString('utf8', at + 4, end)))
    at = end
  }
  return replies
}

const texts = ['', 'x', 'é', '漢字', '🗝🗝', '\\', '"', '}', '{"', '0123', '\n', 'ключ'.repeat(300)]

/** @param number makes it unlike the others: one that comes twice is answered once */
function fuzzedFrame(random: Random, number: number, oxd_id: string): FuzzedFrame {
  const known = 'get_authorization_url'
  switch (random.below(8)) {
    case 0:
      return random.oneIn(10)
        ? honest(random, { command: known, params: { oxd_id, state: number } }, 'ok')
        : honest(random, { command: known.toUpperCase(), number }, 'internal_error')
    case 1:
      return honest(random, { command: known, params: [number] }, 'internal_error')
    case 2:
    case 3:
      return broken(random, number)
    default: {
      const params = Array.from({ length: random.below(20) }, () => random.pick(texts))
      return honest(random, { command: `none${number}`, params }, 'unsupported_operation')
    }
  }
}

function honest(random: Random, message: object, answer: string): FuzzedFrame {
  const text = JSON.stringify(message)
  const before = random.pick(['', '', '', '\n', ' \t'])
  const isCounted = random.oneIn(2)
  const body = isCounted ? `${before}${text}${random.pick(['', '   '])}` : text
  const length = random.pick([body.length, Buffer.byteLength(body), [...body].length])
  const bytes = `${prefix(random, length)}${isCounted ? '' : before}${body}${random.pick(['', '\r\n'])}`
  return { bytes: Buffer.from(bytes), answer }
}

/** JSON cut short or bent, of the length that it tells. */
function broken(random: Random, number: number): FuzzedFrame {
  const text = `{"command":"none","params":{"a":["${number}",{"b":"\\\\"}]}}`
  const at = 1 + random.below(text.length - 1)
  const body = random.pick([
    text.slice(0, at),
    `${text.slice(0, at)}${random.pick(['}', ']', '\u0001', '\\'])}${number}`,
    `${text}${random.pick(['}', '{}', ',', '"'])}`,
    `{${number}`,
  ])
  // What is as long and the same text comes twice.
  const unlike = `${body}${' '.repeat(random.below(3))}`.padEnd(100 + number)
  return {
    bytes: Buffer.from(`${prefix(random, unlike.length)}${unlike}`),
    answer: 'internal_error',
  }
}

function prefix(random: Random, length: number): string {
  const plain = String(length)
  const styles = [plain.padStart(4, '0'), `0${plain}`, `00${plain}`, plain.padStart(5, '0'), plain]
  return random.pick(styles.filter((one) => one.length <= 5))
}

/** Bytes that lie about their length, or have none. */
function lying(random: Random): Buffer {
  const text = `{"command":"none","params":{"a":"${random.pick(texts)}"}}`
  const lie = random.pick([0, 1, text.length - 1, text.length + 1, 9999, 99_999, 1_000_000])
  return Buffer.from(
    random.pick([
      `${lie}${text}`,
      `${String(lie).padStart(4, '0')}${text}`,
      text,
      'GET / HTTP/1.1\r\n\r\n',
      String(text.length),
      `${String(text.length).padStart(4, '0')}${text.slice(0, -2)}`,
      String.fromCharCode(...Array.from({ length: 20 }, () => random.below(256))),
    ]),
    random.oneIn(2) ? 'latin1' : 'utf8',
  )
}
