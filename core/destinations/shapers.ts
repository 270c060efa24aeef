// What shapes the records in front of a file: the limit first, so that a flood is cut whatever is in it, then the folding of repeats.

import type { Metrics } from '../base/metrics.ts'
import { FoldRepeats, type FoldSaved } from './fold-repeats.ts'
import type { LimitOption } from './limit-options.ts'
import { LoadLimit } from './load-limit.ts'
import type { RepeatedOption } from './repeated-option.ts'
import type { Selects } from './selects.ts'
import type { Shaper } from './shaper.ts'

export interface ShaperOptions {
  readonly limit?: LimitOption | undefined
  readonly repeated?: RepeatedOption | undefined
}

/**
 * @param saved what the shapers of the process before have saved with the cursor, whichever those were
 * @returns undefined where nothing is to be shaped
 */
export function makeShaper(
  { limit, repeated }: ShaperOptions,
  selects: Selects | undefined,
  saved: unknown,
  metrics: Metrics,
): Shaper | undefined {
  const { before, repeated: runs }: Partial<FoldSaved> = isOfFold(saved) ? saved : { before: saved }
  const limiting = limit === undefined ? undefined : new LoadLimit(limit, selects, before, metrics)
  const isFolding = repeated === 'fold'
  // Where it is no longer wanted, what it has counted is told yet.
  if (!isFolding && !runs?.some((run: { count: number } | null) => run !== null && run.count > 0)) return limiting
  return new FoldRepeats(selects, limiting, runs, metrics, isFolding)
}

function isOfFold(saved: unknown): saved is FoldSaved {
  return typeof saved === 'object' && saved !== null && Array.isArray((saved as Partial<FoldSaved>).repeated)
}
