/** Looks into what somebody else has sent as JSON. */

/** @returns a member of an object; undefined where it is none, or something else than an object */
export function insideObject(value: unknown, member: string): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  return Object.hasOwn(value, member) ? (value as Record<string, unknown>)[member] : undefined
}
