/** A row of docs/conformance.md: something that a relying party should do, or refuse. */

/** What a row waits for. */
export type Later =
  | 'logout'
  | 'signed requests'
  | 'sender-constrained tokens'
  | 'further grants'
  | 'FAPI'
  | 'federation'

export interface Row {
  /** As it stands in the names of the tests that show it. */
  id: string
  title: string
  /** No test shows it yet. */
  later?: Later
  /** Why no test ever will. */
  not_ours?: string
  /** What of it is otherwise than the title says. */
  note?: string
}

export interface Section {
  title: string
  /** What its rows are, and where they come from. */
  about: string
  rows: Row[]
}

/** Rows as they are written down: an id and a title, and what is special of it. */
export function rowsOf(
  rows: readonly (readonly [id: string, title: string, more?: Omit<Row, 'id' | 'title'>])[],
): Row[] {
  return rows.map(([id, title, more]) => ({ id, title, ...more }))
}
