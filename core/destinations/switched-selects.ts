import { comparePositions, type Position } from '../spool/position.ts'
import type { Selects } from './selects.ts'
import type { RecordContext, SharedRecord } from './shared-records.ts'

interface Version {
  /** Records that end behind it are its own, until the next version's. */
  readonly from: Position | undefined
  /** Everything when left out. */
  readonly selects: Selects | undefined
}

/**
 * What a destination takes, changed while it runs. A change holds from one place of the spool on, the same for all destinations: one that is behind
 * chooses among older messages as it did before, so that none falls between the old rules of one destination and the new rules of another. For
 * destinations that read from SharedRecords.
 */
export class SwitchedSelects implements Selects {
  #versions: Version[]
  /** The one of the last record. */
  #current: Version
  #lastEnd: Position | undefined

  constructor(selects: Selects | undefined) {
    this.#current = { from: undefined, selects }
    this.#versions = [this.#current]
  }

  /** What is taken of messages that come from now on. */
  get newest(): Selects | undefined {
    return this.#versions.at(-1)!.selects
  }

  /** @param acknowledged up to here the destination is done: what was chosen before it is not asked for again */
  switch(selects: Selects | undefined, from: Position, acknowledged: Position): void {
    this.#versions.push({ from, selects })
    const needed = this.#versions.findLastIndex(
      (version) => version.from !== undefined && comparePositions(version.from, acknowledged) <= 0,
    )
    if (needed > 0) this.#versions = this.#versions.slice(needed)
    this.#lastEnd = undefined
  }

  selects(bytes: Uint8Array, start: number, end: number, given: Parameters<Selects['selects']>[3]): boolean {
    const context = given as RecordContext
    if (context.end !== this.#lastEnd) this.#go(context.end)
    const { selects } = this.#current
    return selects === undefined || selects.selects(bytes, start, end, context)
  }

  chosen(record: SharedRecord): readonly number[] | undefined {
    if (record.end !== this.#lastEnd) this.#go(record.end)
    return this.#current.selects?.chosen?.(record)
  }

  /** To the version of the record that ends there. */
  #go(end: Position): void {
    this.#lastEnd = end
    this.#current = this.#versions.findLast(({ from }) => from === undefined || comparePositions(end, from) > 0) ?? this.#versions[0]!
  }
}
