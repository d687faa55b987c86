/** Keeps answers of many rows within a frame: sites and OPs made the rows as long as they are. */
import { MAX_FRAME_BYTES } from '@relyd/sdk/framing'
import { LIST_LENGTH, STRING_LENGTH, strings } from '../command.js'

/** Bytes of stored texts with which a page ends. What else it has, and its last row, must fit too. */
export const PAGE_BYTES = MAX_FRAME_BYTES / 4

/** Bytes of each list of a row, where there are many rows. */
export const LISTED_BYTES = 8 * 1024

/** The same where a row stands alone: all that a site may have. */
export const SHOWN_BYTES = 64 * 1024

/** What tells that something is missing. */
export const cut = strings({
  doc: 'Members that are shown in part here, as they are very long.',
})

/** @param list_bytes of each list of texts, as JSON */
export function shownInPart<R extends object>(
  record: R,
  list_bytes: number,
): R & { cut?: string[] } {
  const cut: string[] = []
  const shown = Object.entries(record).map(([name, value]) => {
    const part = partOf(value, list_bytes)
    if (part !== value) cut.push(name)
    return [name, part]
  })
  return { ...Object.fromEntries(shown), ...(cut.length > 0 && { cut }) }
}

function partOf(value: unknown, list_bytes: number): unknown {
  if (typeof value === 'string') return value.slice(0, STRING_LENGTH)
  if (!Array.isArray(value)) return value
  let bytes = 0
  const end = value.findIndex((one, at) => {
    bytes += Buffer.byteLength(JSON.stringify(one))
    return bytes > list_bytes || at >= LIST_LENGTH
  })
  return end === -1 ? value : value.slice(0, end)
}
