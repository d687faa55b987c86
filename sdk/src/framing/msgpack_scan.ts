/** Walks a msgpack body before it is decoded, because msgpackr builds more from hostile bytes than the protocol has. */
import { isUtf8 } from 'node:buffer'
import { MAX_DEPTH } from './frame.js'

/**
 * Finds what keeps a body from being one plain value: an extension or binary type, a key that is
 * no string, a string that is not UTF-8, nesting beyond {@link MAX_DEPTH}, an end that is not where
 * it should be.
 *
 * @returns what is wrong, in words for the sender, or undefined
 */
export function findMsgpackFault(body: Buffer): string | undefined {
  // What is still to come in each open container; in a map, an even number means a key is next.
  const open: { left: number; isMap: boolean }[] = [{ left: 1, isMap: false }]
  let at = 0
  for (;;) {
    const container = open[open.length - 1]
    if (!container) return at === body.length ? undefined : 'bytes follow the value'
    if (container.left === 0) {
      open.pop()
      continue
    }
    if (at >= body.length) return 'the value is cut short'
    const isKey = container.isMap && container.left % 2 === 0
    container.left -= 1
    const type = body[at] as number
    at += 1

    const shape = shapeOf(type)
    if (!shape) return `the type 0x${type.toString(16)} is not used in this protocol`
    if (isKey && shape.kind !== 'string') return 'a map key is not a string'
    if (at + shape.sizeBytes > body.length) return 'the value is cut short'
    const size = shape.sizeBytes === 0 ? shape.size : body.readUIntBE(at, shape.sizeBytes)
    at += shape.sizeBytes
    switch (shape.kind) {
      case 'array':
      case 'map':
        if (open.length > MAX_DEPTH) return `nested deeper than ${MAX_DEPTH} levels`
        open.push({
          left: shape.kind === 'map' ? size * 2 : size,
          isMap: shape.kind === 'map',
        })
        break
      default:
        if (at + size > body.length) return 'the value is cut short'
        if (shape.kind === 'string' && !isText(body, at, at + size)) return 'a string is not UTF-8'
        at += size
    }
  }
}

/** Up to here a loop is faster than a call into native code. */
const SHORT_BYTES = 64

function isText(body: Buffer, start: number, end: number): boolean {
  if (end - start <= SHORT_BYTES) {
    let at = start
    while (at < end && (body[at] as number) < 0x80) at += 1
    if (at === end) return true
  }
  return isUtf8(body.subarray(start, end))
}

/** A type byte's meaning: `size` is in bytes or elements, unless the next `sizeBytes` bytes hold it. */
interface Shape {
  kind: 'scalar' | 'string' | 'array' | 'map'
  size: number
  sizeBytes: number
}

const shapes: (Shape | undefined)[] = Array.from({ length: 256 }, (_, type) => describe(type))

function shapeOf(type: number): Shape | undefined {
  return shapes[type]
}

function describe(type: number): Shape | undefined {
  const fixed = (kind: Shape['kind'], size: number): Shape => ({ kind, size, sizeBytes: 0 })
  const sized = (kind: Shape['kind'], sizeBytes: number): Shape => ({ kind, size: 0, sizeBytes })
  if (type <= 0x7f || type >= 0xe0) return fixed('scalar', 0)
  if (type <= 0x8f) return fixed('map', type & 0x0f)
  if (type <= 0x9f) return fixed('array', type & 0x0f)
  if (type <= 0xbf) return fixed('string', type & 0x1f)
  switch (type) {
    case 0xc0: // nil
    case 0xc2: // false
    case 0xc3: // true
      return fixed('scalar', 0)
    case 0xca: // float 32
    case 0xce: // uint 32
    case 0xd2: // int 32
      return fixed('scalar', 4)
    case 0xcb: // float 64
    case 0xcf: // uint 64
    case 0xd3: // int 64
      return fixed('scalar', 8)
    case 0xcc: // uint 8
    case 0xd0: // int 8
      return fixed('scalar', 1)
    case 0xcd: // uint 16
    case 0xd1: // int 16
      return fixed('scalar', 2)
    case 0xd9:
      return sized('string', 1)
    case 0xda:
      return sized('string', 2)
    case 0xdb:
      return sized('string', 4)
    case 0xdc:
      return sized('array', 2)
    case 0xdd:
      return sized('array', 4)
    case 0xde:
      return sized('map', 2)
    case 0xdf:
      return sized('map', 4)
    default:
      return undefined
  }
}
