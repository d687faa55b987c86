/**
 * What is counted, one for each set of labels. prom-client's own look their labels up at each count,
 * 600 ns for a command's two; these are found once and then cost an addition, 20 ns.
 */

/** A number that only grows. */
export class Count {
  value = 0

  add(more = 1): void {
    this.value += more
  }
}

/** How long things took, by upper bounds. */
export class Times {
  /** Upper bounds in seconds. */
  readonly bounds: readonly number[]
  /** How many lay within each bound and beyond the one before it; at the end, beyond all. */
  readonly counts: number[]
  sum = 0

  constructor(bounds: readonly number[]) {
    this.bounds = bounds
    this.counts = new Array(bounds.length + 1).fill(0)
  }

  observe(seconds: number): void {
    let at = 0
    while (at < this.bounds.length && seconds > (this.bounds[at] as number)) at += 1
    this.counts[at] = (this.counts[at] as number) + 1
    this.sum += seconds
  }
}
