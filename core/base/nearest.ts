const COMPARED_MAX_CHARACTERS = 64

/** The known word that was probably meant: at most a third of its letters wrong, missing, added or swapped; case is ignored. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  if (word.length > COMPARED_MAX_CHARACTERS) return undefined
  const ranked = known
    .map((candidate) => ({ candidate, distance: distanceOf(word.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, distance }) => distance <= Math.max(1, Math.floor(candidate.length / 3)))
  return ranked.sort((a, b) => a.distance - b.distance)[0]?.candidate
}

/** Damerau-Levenshtein, optimal string alignment. */
function distanceOf(a: string, b: string): number {
  let before: number[] = []
  let above = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1]
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
      const cheapest = Math.min(above[column]! + 1, current[column - 1]! + 1, above[column - 1]! + (same ? 0 : 1))
      current.push(swapped ? Math.min(cheapest, before[column - 2]! + 1) : cheapest)
    }
    before = above
    above = current
  }
  return above[b.length]!
}
