/** White space as Python 3 understands it, which is not quite what JavaScript does. */

/** What `str.isspace()` is true for; a byte order mark, unlike in JavaScript, is not among it. */
const SPACES =
  '\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680' +
  '\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000'

/** Whether a character is white space. */
export function isSpace(character: string): boolean {
  return character !== '' && SPACES.includes(character)
}

/** A text without white space at its ends. */
export function strip(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isSpace(text.charAt(start))) start += 1
  while (end > start && isSpace(text.charAt(end - 1))) end -= 1
  return text.slice(start, end)
}
