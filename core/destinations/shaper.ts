import type { Selects } from './selects.ts'
import type { RecordContext, SharedRecord } from './shared-records.ts'

/** Messages that stand in one memory and go on, by their indexes. */
export interface Planned {
  readonly record: Pick<SharedRecord, 'bytes' | 'places'> & { readonly context: RecordContext }
  readonly messages: readonly number[]
}

/**
 * What a destination makes of a record beyond choosing message by message: it may leave some out and put lines of its own between them. What it does depends
 * on what it has seen before, so it is asked for one record after the other, and what it remembers goes with the destination's cursor: shaped again from the
 * same position on, the same records give the same.
 */
export interface Shaper {
  /** What goes on of the next record, in order. */
  shape(record: SharedRecord): readonly Planned[]
  /** The first so many records that were shaped and not settled are done for good. */
  settle(records: number): void
  /** The next record to be shaped is the one behind the last that was settled. */
  rewind(): void
  /** What it remembers as of the last record that was settled, as JSON takes it. */
  saved(): unknown
  status(): Record<string, string | number>
}

/** The messages of the record that are chosen, all of them without `selects`, by their indexes. */
export function chosenOf(record: SharedRecord, selects: Selects | undefined): readonly number[] {
  const listed = selects?.chosen?.(record)
  if (listed !== undefined) return listed
  const { bytes, places, context } = record
  const chosen: number[] = []
  for (let index = 0; index < places.length >>> 1; index++) {
    context.sequence = context.firstSequence + index
    if (selects === undefined || selects.selects(bytes, places[index * 2]!, places[index * 2 + 1]!, context)) chosen.push(index)
  }
  return chosen
}
