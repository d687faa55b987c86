/** SIGHUP, which without a listener ends the process: heard from the first moment on, answered when that can be done. */

export interface HangUps {
  /** Answers each from now on; those that came before are answered once, at once. */
  answer(with_what: () => void): void
}

export function hearHangUps(): HangUps {
  let answer: (() => void) | undefined
  let waiting = false
  process.on('SIGHUP', () => {
    if (answer) answer()
    else waiting = true
  })
  return {
    answer(with_what) {
      answer = with_what
      if (waiting) answer()
      waiting = false
    },
  }
}
