/** Where a login may send the browser afterwards: to an address of this site, and to nobody else's. */
import type { Places } from './places.js'

/** As much as `get_authorization_url` keeps. */
const LONGEST = 2048

/** What a URL parser drops, turns into `/`, or shows as something else. Written encoded, it is no trick. */
const TRICKS = /[\\\p{Cc}\p{Cf}\p{Zs}\p{Zl}\p{Zp}]/u

/** A path that some later reader may decode into a host or a second line. */
const TRICKS_IN_PATH = /^\/(?:\/|%2f)|%(?:[01][0-9a-f]|7f|5c)/i

/**
 * Checks an address that came from outside.
 *
 * @param value a path with its query, or a whole URL
 * @returns the address, absolute, so that no path can be taken for a host (`/.//evil.example`);
 *   undefined if it is not one of this site's, or leads straight back into login or logout
 */
export function returnAddress(
  value: string | null | undefined,
  { origin, own_paths }: Pick<Places, 'origin' | 'own_paths'>,
): string | undefined {
  if (!value || value.length > LONGEST || TRICKS.test(value)) return undefined
  if (!/^(?:\/(?!\/)|https?:\/\/)/i.test(value)) return undefined
  const url = URL.canParse(value, origin) ? new URL(value, origin) : undefined
  if (!url || url.origin !== origin || url.username !== '' || url.password !== '') return undefined
  if (TRICKS_IN_PATH.test(url.pathname) || own_paths.has(url.pathname)) return undefined
  return url.href.length > LONGEST ? undefined : url.href
}
