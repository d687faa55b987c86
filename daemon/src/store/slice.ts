/** Ends a slice of a list by its bytes as well as its rows: others made the rows as long as they are. */

/** What of a list comes in one piece. */
export interface Slice<T> {
  rows: T[]
  /** Whether rows may be left behind the last one. */
  more: boolean
}

/** How long a slice may grow. */
export interface SliceLimits {
  rows: number
  /** Of texts, with which a slice ends; the row that reaches them is its last. */
  bytes: number
}

/** @param rows read no further than the slice goes, in one go */
export function sliceOf<T extends object>(rows: Iterable<T>, limits: SliceLimits): Slice<T> {
  const slice: T[] = []
  let bytes = 0
  for (const row of rows) {
    slice.push(row)
    bytes += bytesOf(row)
    if (slice.length >= limits.rows || bytes >= limits.bytes) return { rows: slice, more: true }
  }
  return { rows: slice, more: false }
}

/** Bytes of the texts in a row, as JSON writes them. */
export function bytesOf(row: object): number {
  let bytes = 0
  for (const value of Object.values(row)) {
    if (typeof value === 'string') bytes += Buffer.byteLength(JSON.stringify(value))
    else if (Array.isArray(value)) bytes += bytesOf(value)
  }
  return bytes
}
