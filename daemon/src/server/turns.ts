/**
 * Gives every site its turn: what one of them sends, however much, is read and begun a little at a
 * time, so that another's command waits for a handful of others and not for a flood.
 */

/** Frames that one turn of the event loop begins with: some milliseconds' work, and one commit. */
const A_TURN = 16

export class Turns {
  /** Who waits, by site, in the order in which the sites are next. */
  readonly #lanes = new Map<string, (() => void)[]>()
  #left = A_TURN
  #scheduled = false

  /**
   * Runs `work`, which handles one frame, when it is the lane's turn: at once if nobody waits and
   * the turn has room. Works of one lane run in their order.
   */
  take(lane: string, work: () => void): void {
    this.#schedule()
    if (this.#left > 0 && this.#lanes.size === 0) {
      this.#left -= 1
      work()
      return
    }
    const waiting = this.#lanes.get(lane)
    if (waiting) waiting.push(work)
    else this.#lanes.set(lane, [work])
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => this.#turn())
  }

  #turn(): void {
    this.#scheduled = false
    this.#left = A_TURN
    if (this.#lanes.size === 0) return
    this.#schedule()
    while (this.#left > 0) {
      const [first] = this.#lanes
      if (!first) return
      const [lane, waiting] = first
      const work = waiting.shift()
      this.#lanes.delete(lane)
      if (waiting.length > 0) this.#lanes.set(lane, waiting)
      this.#left -= 1
      work?.()
    }
  }
}
