/** Covering designs: few rows in which all pairs of values meet. */

/** A row: a value of each dimension, by its name. */
export type Row = Readonly<Record<string, string>>

export interface Design {
  /** Values of each dimension; their order decides nothing but the rows' order. */
  dimensions: Readonly<Record<string, readonly string[]>>
  /** Whether the values that a row has so far go together. */
  allows(row: Row): boolean
}

export type Pair = readonly [dimension: string, value: string, dimension: string, value: string]

/** Pairs of values of two dimensions that some row can have. */
export function feasiblePairs(design: Design): Pair[] {
  const names = Object.keys(design.dimensions)
  const pairs = names.flatMap((one, index) =>
    names
      .slice(index + 1)
      .flatMap((other) =>
        valuesOf(design, one).flatMap((value) =>
          valuesOf(design, other).map((second): Pair => [one, value, other, second]),
        ),
      ),
  )
  return pairs.filter(([one, value, other, second]) =>
    isFeasible(design, { [one]: value, [other]: second }),
  )
}

/**
 * Rows in which each of {@link feasiblePairs} is at least once: greedily, a row from each pair that is
 * not covered yet, whose other values cover as many more as they can, and among those are the least
 * used so far. The same for the same design.
 */
export function coveringRows(design: Design): Row[] {
  const open = new Set(feasiblePairs(design).map(nameOf))
  const rows: Row[] = []
  const usesOf = (name: string, value: string) => rows.filter((row) => row[name] === value).length
  // Of the dimensions with the most values first: they decide how many rows there are.
  const names = Object.keys(design.dimensions).sort(
    (one, other) => valuesOf(design, other).length - valuesOf(design, one).length,
  )
  for (const [one, value, other, second] of feasiblePairs(design)) {
    if (!open.has(nameOf([one, value, other, second]))) continue
    let row: Row = { [one]: value, [other]: second }
    for (const name of names) {
      if (row[name] !== undefined) continue
      const [best] = valuesOf(design, name)
        .map((value) => ({ value, candidate: { ...row, [name]: value } }))
        .filter(({ candidate }) => isFeasible(design, candidate))
        .map(({ value, candidate }) => ({
          candidate,
          gain: pairsOf(design, candidate).filter((pair) => open.has(nameOf(pair))).length,
          uses: usesOf(name, value),
        }))
        // The sort is stable: the first of the best.
        .sort((left, right) => right.gain - left.gain || left.uses - right.uses)
      if (best) row = best.candidate
    }
    for (const pair of pairsOf(design, row)) open.delete(nameOf(pair))
    rows.push(row)
  }
  return rows
}

/** The pairs that a row has. */
export function pairsOf(design: Design, row: Row): Pair[] {
  const names = Object.keys(design.dimensions).filter((name) => row[name] !== undefined)
  return names.flatMap((one, index) =>
    names
      .slice(index + 1)
      .map((other): Pair => [one, row[one] as string, other, row[other] as string]),
  )
}

export function nameOf(pair: Pair): string {
  return pair.join('\n')
}

function valuesOf({ dimensions }: Design, name: string): readonly string[] {
  return dimensions[name] ?? []
}

/** Whether the values can be part of a whole row. */
function isFeasible(design: Design, row: Row): boolean {
  if (!design.allows(row)) return false
  const name = Object.keys(design.dimensions).find((one) => row[one] === undefined)
  if (name === undefined) return true
  return valuesOf(design, name).some((value) => isFeasible(design, { ...row, [name]: value }))
}
