/** What a terminal obeys instead of showing it: control and format characters, lone surrogates. */
export const OBEYED = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu

/** JSON leaves some of it as it is; escaped, the text is the same JSON. The feeds between its lines stay. */
export function escapeObeyed(json: string): string {
  return json.replace(OBEYED, (character) => (character === '\n' ? character : escaped(character)))
}

function escaped(character: string): string {
  return Array.from(
    { length: character.length },
    (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`,
  ).join('')
}
