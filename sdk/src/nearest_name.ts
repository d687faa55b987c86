/** Finds what a mistyped name was probably meant to be. */

/**
 * The candidate a name most resembles, for "did you mean".
 *
 * @returns undefined when none is near: more than a third of its letters differ
 */
export function nearestName(name: string, candidates: Iterable<string>): string | undefined {
  let nearest: string | undefined
  let least = Number.POSITIVE_INFINITY
  for (const candidate of candidates) {
    const most = Math.max(1, Math.floor(Math.max(name.length, candidate.length) / 3))
    // A name may be as long as a frame: what no distance could make near is not measured.
    if (Math.abs(name.length - candidate.length) > most) continue
    const distance = editDistance(name, candidate)
    if (distance <= most && distance < least) {
      nearest = candidate
      least = distance
    }
  }
  return nearest
}

/** Letters to insert, delete, replace, or swap with their neighbour. */
function editDistance(one: string, other: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: other.length + 1 }, (_, at) => at)
  for (let i = 1; i <= one.length; i += 1) {
    const row = [i]
    for (let j = 1; j <= other.length; j += 1) {
      const same = one[i - 1] === other[j - 1]
      let cost = Math.min(
        cell(last, j) + 1,
        cell(row, j - 1) + 1,
        cell(last, j - 1) + (same ? 0 : 1),
      )
      if (i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1]) {
        cost = Math.min(cost, cell(beforeLast, j - 2) + 1)
      }
      row.push(cost)
    }
    beforeLast = last
    last = row
  }
  return cell(last, other.length)
}

function cell(row: number[], at: number): number {
  return row[at] ?? 0
}
