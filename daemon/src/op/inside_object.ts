/** Looks into what somebody else has sent as JSON. */
import { isObject } from '../is_object.js'

/** @returns a member of an object; undefined where it is none, or something else than an object */
export function insideObject(value: unknown, member: string): unknown {
  return isObject(value) && Object.hasOwn(value, member) ? value[member] : undefined
}
