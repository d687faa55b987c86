/**
 * Gives every site its turn: what one of them sends, however much, is begun a little at a time, and
 * while others are about with pauses between, so that their commands wait for a handful of others
 * and not for a flood.
 */

/** Frames that a turn of the event loop begins with: for a site alone, as many as serve one commit well. */
const ALONE = 64

/** Of all sites together, however many there are. */
const MOST = 2 * ALONE

/** Beside others: of each site at once, and the fewest of all that wait. */
const AT_ONCE = 4
const FEWEST = 2

/** Milliseconds that a turn beside others may take; it begins with as many of those that wait. */
const BRIEF = 0.5

/** Milliseconds for which others are about after a frame of theirs, and between two turns meanwhile. */
const ABOUT = 100
const PAUSE = 1

export class Turns {
  /** Who waits, by site, in the order in which the sites are next. */
  readonly #lanes = new Map<string, (() => void)[]>()
  /** How many frames of a site this turn has begun with. */
  readonly #begun = new Map<string, number>()
  /** How many of all sites. */
  #begunOfAll = 0
  #scheduled = false
  /** How many of those that wait a turn beside others begins with. */
  #few = FEWEST
  /** Until when others are about than those who wait, as `performance.now()` counts. */
  #othersUntil = 0

  /**
   * Runs `work`, which handles one frame, when it is the lane's turn: at once for a site of which
   * nothing waits. Works of one lane run in their order.
   */
  take(lane: string, work: () => void): void {
    const waiting = this.#lanes.get(lane)
    if (waiting) {
      waiting.push(work)
      return
    }
    if (this.#lanes.size > 0) this.#othersUntil = performance.now() + ABOUT
    const begun = this.#begun.get(lane) ?? 0
    const hasRoom = begun < AT_ONCE || (begun < ALONE && !this.#othersAreAbout)
    const isNext = hasRoom && this.#begunOfAll < MOST
    if (isNext) {
      this.#begun.set(lane, begun + 1)
      this.#begunOfAll += 1
    } else this.#lanes.set(lane, [work])
    this.#schedule()
    if (isNext) work()
  }

  /** How many frames wait. */
  get waiting(): number {
    return [...this.#lanes.values()].reduce((sum, { length }) => sum + length, 0)
  }

  get #othersAreAbout(): boolean {
    return performance.now() < this.#othersUntil
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    const turn = () => this.#turn()
    if (this.#lanes.size > 0 && this.#othersAreAbout) setTimeout(turn, PAUSE)
    else setImmediate(turn)
  }

  #turn(): void {
    this.#scheduled = false
    this.#begun.clear()
    this.#begunOfAll = 0
    const beside_others = this.#othersAreAbout
    if (beside_others && this.#lanes.size > 0) this.#measure()
    for (let left = beside_others ? this.#few : ALONE; left > 0; left -= 1) {
      const [first] = this.#lanes
      if (!first) return
      const [lane, waiting] = first
      const work = waiting.shift()
      this.#lanes.delete(lane)
      if (waiting.length > 0) this.#lanes.set(lane, waiting)
      // What follows from it waits for another turn.
      this.#begun.set(lane, ALONE)
      work?.()
    }
    this.#schedule()
  }

  /** Refusals take microseconds and a login a commit: what a turn takes decides of how many it is. */
  #measure(): void {
    const began = performance.now()
    const adapt = () => {
      const isBrief = performance.now() - began < BRIEF
      this.#few = isBrief ? Math.min(this.#few * 2, ALONE) : Math.max(this.#few >> 1, FEWEST)
    }
    // The first comes before the commit of what was begun, the second after it.
    setImmediate(() => setImmediate(adapt))
  }
}
