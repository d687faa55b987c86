/** What `relyd service` says of each thing that it does, or in a dry run would do. */

/** As it is said of what was done. */
const done = {
  write: 'wrote',
  replace: 'replaced',
  remove: 'removed',
  run: 'run',
} as const

/** What nothing is done to. */
type Left = 'same' | 'kept' | 'KEPT'

export type Tell = (deed: keyof typeof done | Left, what: string) => void

/** @returns what tells one line, its words in a column */
export function teller(dry: boolean, say: (line: string) => void): Tell {
  return (deed, what) => {
    const is_done = Object.hasOwn(done, deed)
    const past = is_done ? done[deed as keyof typeof done] : deed
    say(`${(dry && is_done ? `would ${deed}` : past).padEnd(dry ? 13 : 8)} ${what}`)
  }
}
