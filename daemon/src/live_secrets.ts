/** The secrets that the process has handled lately, and the last filter, which takes them out of a text. */
import { createHash, createPrivateKey, type KeyObject, randomBytes } from 'node:crypto'
import { inspect } from 'node:util'

/** Stands where a secret stood. */
export const HIDDEN = '[secret]'

/** Shorter values are no secrets, and would take words out of every text. */
const SHORTEST = 8

/** How much a generation holds before the next one begins. */
const GENERATION_FORMS = 20_000
const GENERATION_CHARACTERS = 8 * 1024 * 1024

/** Private keys that are known by their digest. */
const MOST_KEYS = 1000

const FILTER_BITS = 20
const SLOT_BITS = 15

/** Forms in one slot beyond which none is compared any more: chance does not make so many. */
const CROWDED = 16

/**
 * Last characters of a form that are compared. Who finds them takes its whole length for the secret,
 * which can only hide more; to compare all of a long one at each place of a long text would take
 * minutes, and both may come from an enemy.
 */
const TAIL = 64

/** Longest value that is noted whole; of a longer one, and one that needs other forms, its end. */
const LONGEST = 65_536
const LONGEST_WITH_FORMS = 4096

/** Names by which the specifications call what is secret. */
const secret_names: ReadonlySet<string> = new Set([
  'access_token',
  'client_assertion',
  'client_secret',
  'code',
  'code_verifier',
  'id_token',
  'id_token_hint',
  'logout_token',
  'nonce',
  'refresh_token',
  'registration_access_token',
  'response',
  'state',
  'token',
])

/** Names by which relyd calls private keys. */
const key_names: ReadonlySet<string> = new Set(['client_private_key', 'private_key'])

// Random, so that nobody can choose values that fill one slot.
const seed = randomBytes(4).readInt32LE() | 1

/** Secrets by their last characters, which differ also where all begin alike (JWTs, expiring ids). */
class Generation {
  /** The last characters of each form, and how long it is. */
  readonly tails: string[] = []
  readonly #lengths: number[] = []
  characters = 0
  /** For each slot one more than the index of its latest form, and for each form the one before it. */
  readonly #latest = new Int32Array(1 << SLOT_BITS)
  readonly #earlier: number[] = []
  readonly #crowd = new Uint8Array(1 << SLOT_BITS)

  add(form: string): void {
    const slot = slotOf(form, form.length - 1)
    if (this.#crowd[slot] === CROWDED) return
    const tail = form.slice(-TAIL)
    for (let at = this.#latest[slot] as number; at > 0; at = this.#earlier[at - 1] as number) {
      if (this.tails[at - 1] !== tail) continue
      this.#lengths[at - 1] = Math.max(this.#lengths[at - 1] as number, form.length)
      return
    }
    this.characters += form.length
    this.#earlier.push(this.#latest[slot] as number)
    this.#lengths.push(form.length)
    this.#latest[slot] = this.tails.push(tail)
    this.#crowd[slot] = (this.#crowd[slot] as number) + 1
  }

  /** @returns where the longest secret begins that ends with `last`; `text.length` if none does */
  startOf(text: string, last: number): number {
    const slot = slotOf(text, last)
    // Too many to compare, or to have been kept: all of the text rather than one of them.
    if (this.#crowd[slot] === CROWDED) return 0
    let first = text.length
    for (let at = this.#latest[slot] as number; at > 0; at = this.#earlier[at - 1] as number) {
      const tail = this.tails[at - 1] as string
      const start = last + 1 - tail.length
      if (start < 0 || !text.startsWith(tail, start)) continue
      first = Math.min(first, Math.max(0, last + 1 - (this.#lengths[at - 1] as number)))
    }
    return first
  }
}

/**
 * Two generations of bounded size: when the young one is full it becomes the old one, and the old
 * one is forgotten. What is used again is noted again.
 */
export class LiveSecrets {
  #young = new Generation()
  #old = new Generation()
  readonly #pinned = new Generation()
  /** Digests of the private keys whose forms the young generation has: to find those takes a millisecond. */
  readonly #keys = new Set<string>()
  /** A bit for the last four characters of each form: nearly all positions of a text end here. */
  readonly #filter = new Int32Array(1 << (FILTER_BITS - 5))

  /** Remembers a secret for as long as a generation or two last. Anything but a string is let be. */
  note(value: unknown): void {
    if (typeof value !== 'string' || value.length < SHORTEST) return
    const end = value.slice(-LONGEST)
    if (PLAIN.test(end)) this.#add(end)
    else for (const form of formsOf(end.slice(-LONGEST_WITH_FORMS))) this.#add(form)
  }

  /**
   * {@link note} of a private key, PEM or JWK, in all the ways in which it may be written: whole, a
   * line of it, without line breaks, and the numbers that a JWK makes of it.
   */
  notePrivateKey(pem: string): void {
    const digest = createHash('sha256').update(pem).digest('base64')
    if (this.#keys.has(digest)) return
    const young = this.#young
    for (const form of formsOfKey(pem)) this.note(form)
    if (this.#keys.size >= MOST_KEYS) this.#keys.clear()
    // All of it, or what went into the old one would be forgotten with that.
    if (this.#young === young) this.#keys.add(digest)
  }

  /** {@link note}, if the name is one by which the specifications call a secret. */
  noteNamed(name: string, value: unknown): void {
    if (key_names.has(name) && typeof value === 'string') this.notePrivateKey(value)
    else if (secret_names.has(name)) this.note(value)
  }

  /** {@link noteNamed} for all members of an object, and of those that are in a list of it. */
  noteMembers(members: object): void {
    for (const name in members) {
      const value: unknown = members[name as keyof typeof members]
      if (!Array.isArray(value)) this.noteNamed(name, value)
      else for (const one of value) if (typeof one === 'object' && one) this.noteMembers(one)
    }
  }

  /** Remembers a key for good, in the encodings in which one is written. */
  pin(key: Buffer): void {
    for (const encoding of ['base64url', 'base64', 'hex'] as const) {
      const form = key.toString(encoding)
      this.#pinned.add(form)
      this.#mark(form)
    }
  }

  /** @returns the text with {@link HIDDEN} in place of every secret, in whatever form it is there */
  hide(text: string): string {
    const spans = this.#find(text)
    if (!spans) return text
    let hidden = ''
    let end = text.length
    // From the back: of secrets that overlap, the one that ends last may begin first.
    for (let span = spans.pop(); span; ) {
      let earlier = spans.pop()
      for (; earlier && earlier.end > span.start; earlier = spans.pop()) {
        span.start = Math.min(span.start, earlier.start)
      }
      hidden = HIDDEN + text.slice(span.end, end) + hidden
      end = span.start
      span = earlier
    }
    return text.slice(0, end) + hidden
  }

  /** {@link hide} for every string in a value of JSON, names included. */
  hideIn(value: unknown): unknown {
    if (typeof value === 'string') return this.hide(value)
    if (typeof value === 'number') {
      const digits = String(value)
      return this.hide(digits) === digits ? value : HIDDEN
    }
    if (Array.isArray(value)) return value.map((one) => this.hideIn(one))
    if (typeof value !== 'object' || value === null) return value
    const members = Object.entries(value)
    return Object.fromEntries(members.map(([name, one]) => [this.hide(name), this.hideIn(one)]))
  }

  #add(form: string): void {
    if (
      this.#young.tails.length >= GENERATION_FORMS ||
      this.#young.characters >= GENERATION_CHARACTERS
    ) {
      this.#old = this.#young
      this.#young = new Generation()
      this.#keys.clear()
      this.#filter.fill(0)
      for (const known of this.#old.tails) this.#mark(known)
      for (const known of this.#pinned.tails) this.#mark(known)
    }
    this.#young.add(form)
    this.#mark(form)
  }

  #mark(form: string): void {
    let code = 0
    for (let at = form.length - 4; at < form.length; at += 1) code = withNext(code, form, at)
    const bit = bitOf(code)
    this.#filter[bit >>> 5] = (this.#filter[bit >>> 5] as number) | (1 << (bit & 31))
  }

  /** @returns where secrets are, in the order of their ends; undefined where there are none */
  #find(text: string): Span[] | undefined {
    const filter = this.#filter
    const { length } = text
    let spans: Span[] | undefined
    let code = 0
    for (let last = 0; last < length; last += 1) {
      code = withNext(code, text, last)
      const bit = bitOf(code)
      if ((((filter[bit >>> 5] as number) >>> (bit & 31)) & 1) === 0 || last < SHORTEST - 1)
        continue
      const start = Math.min(
        this.#young.startOf(text, last),
        this.#old.startOf(text, last),
        this.#pinned.startOf(text, last),
      )
      if (start === length) continue
      spans ??= []
      spans.push({ start, end: last + 1 })
    }
    return spans
  }
}

/** The process's own: what is handled anywhere must not leave it anywhere. */
export const live = new LiveSecrets()

interface Span {
  start: number
  end: number
}

/** Characters that JSON, URLs and forms leave as they are. */
const PLAIN = /^[\w.-]+$/

const UNCUT = { maxStringLength: null, breakLength: Number.POSITIVE_INFINITY }

/** As it is, in a URL, in a form, and quoted: in JSON, in JSON within JSON (as in a log), as Node prints it. */
function formsOf(value: string): Set<string> {
  const form = new URLSearchParams({ v: value }).toString().slice('v='.length)
  const forms = new Set([value, encodeURIComponent(value.toWellFormed()), form])
  const json = inJson(value)
  if (json === value) return forms
  return forms.add(json).add(inJson(json)).add(inspect(value, UNCUT).slice(1, -1))
}

/** RFC 7518 6.2.2, 6.3.2: what of a private JWK must be nobody else's. */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi'] as const

/** Of what is no key, the text alone. */
function formsOfKey(text: string): string[] {
  const forms = [text, ...text.split(/\r?\n/).filter((line) => !line.startsWith('-----'))]
  let key: KeyObject
  try {
    const isJwk = text.trimStart().startsWith('{')
    key = createPrivateKey(isJwk ? { key: JSON.parse(text), format: 'jwk' } : text)
  } catch {
    return forms
  }
  const pem = key.export({ type: 'pkcs8', format: 'pem' }).toString()
  const der = key.export({ type: 'pkcs8', format: 'der' })
  const jwk = key.export({ format: 'jwk' })
  return [
    ...forms,
    pem,
    ...pem.split('\n').filter((line) => !line.startsWith('-----')),
    ...(['base64', 'base64url', 'hex'] as const).map((encoding) => der.toString(encoding)),
    ...PRIVATE_MEMBERS.flatMap((name) => jwk[name] ?? []),
  ]
}

function inJson(text: string): string {
  return JSON.stringify(text).slice(1, -1)
}

/** The last four characters as one number. */
function withNext(code: number, text: string, at: number): number {
  return (code << 8) | (text.charCodeAt(at) & 255)
}

function bitOf(code: number): number {
  return Math.imul(code, 0x9e3779b1) >>> (32 - FILTER_BITS)
}

/** A hash of the eight characters up to `last`. */
function slotOf(text: string, last: number): number {
  let hash = 0
  for (let at = last - SHORTEST + 1; at <= last; at += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(at), seed)
    hash ^= hash >>> 15
  }
  return hash >>> (32 - SLOT_BITS)
}
