/** Makes text of others fit for a page or a terminal: nothing in it moves the cursor or turns the writing. */

// Line feeds and tabs stay, and so do the joiners that Indic scripts and emoji need.
const obeyed = /(?![\n\t])[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u200E\u200F\u061C\u202A-\u202E\u2066-\u2069]/gu

/** Shows control characters, direction overrides and halves of characters as `\uXXXX`. */
export function printable(text: string): string {
  return text.replace(
    obeyed,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** An error for the terminal: its stack, and none of the properties that it may carry. */
export function printableError(error: unknown): string {
  return printable(String((error instanceof Error && error.stack) || error))
}
