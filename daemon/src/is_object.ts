/** Tells objects of JSON from all else that JSON can be. */

/** Whether it has members by name. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
