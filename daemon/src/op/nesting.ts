/** How deep an OP's JSON may be nested, so that it fits into a reply to a site. */
import { isDeeperThan, MAX_DEPTH } from '@relyd/sdk/framing'

/** Levels that a reply puts around what it carries of an OP's. */
const AROUND = 8

/** Whether a value is nested too deeply to be stored and answered. */
export function isTooDeep(value: unknown): boolean {
  return isDeeperThan(value, MAX_DEPTH - AROUND)
}
