import type { Selects } from './selects.ts'
import type { RecordContext, SharedRecord } from './shared-records.ts'

/** What tells for a message which of many destinations it goes to, by their numbers: RuleList of core/pipeline/rules.ts. */
export interface Router {
  /** @returns how many of `hits` count, until the next call */
  route(bytes: Uint8Array, start: number, end: number, context: RecordContext): number
  readonly hits: ArrayLike<number>
}

const NONE: readonly number[] = []

/**
 * The rules are walked once for each message, whichever destination comes to it first, and what they say is remembered as long as the record is. For
 * destinations that read from one SharedRecords.
 */
export class RoutedSelects {
  readonly #router: Router
  /** Of each destination the messages of a record; nothing for those that it has none of. */
  readonly #lists = new WeakMap<SharedRecord, ReadonlyArray<readonly number[] | undefined>>()

  constructor(router: Router) {
    this.#router = router
  }

  /** What chooses for the destination of this number. */
  selectsFor(destination: number): Selects {
    return {
      selects: (bytes, start, end, context) => {
        const count = this.#router.route(bytes, start, end, context as RecordContext)
        const { hits } = this.#router
        for (let hit = 0; hit < count; hit++) if (hits[hit] === destination) return true
        return false
      },
      chosen: (record) => this.#listsOf(record)[destination] ?? NONE,
    }
  }

  #listsOf(record: SharedRecord): ReadonlyArray<readonly number[] | undefined> {
    const known = this.#lists.get(record)
    if (known !== undefined) return known
    const { bytes, places, context } = record
    const lists: Array<number[] | undefined> = []
    for (let index = 0; index < places.length >>> 1; index++) {
      context.sequence = context.firstSequence + index
      const count = this.#router.route(bytes, places[index * 2]!, places[index * 2 + 1]!, context)
      const { hits } = this.#router
      for (let hit = 0; hit < count; hit++) {
        const list = lists[hits[hit]!]
        if (list === undefined) lists[hits[hit]!] = [index]
        else list.push(index)
      }
    }
    this.#lists.set(record, lists)
    return lists
  }
}
