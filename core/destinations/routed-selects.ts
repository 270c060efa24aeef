import type { Selects } from './selects.ts'
import type { RecordContext } from './shared-records.ts'

/** What tells for a message which of many destinations it goes to, by their numbers: RuleList of core/pipeline/rules.ts. */
export interface Router {
  /** @returns how many of `hits` count, until the next call */
  route(bytes: Uint8Array, start: number, end: number, context: RecordContext): number
  readonly hits: ArrayLike<number>
}

/** One bit for each message and destination of a record; a message whose first bit is not set was not routed yet. */
interface Routed {
  readonly bits: Uint32Array
}

/**
 * The rules are walked once for each message, whichever destination comes to it first, and what they say is remembered as long as the record is. For
 * destinations that read from one SharedRecords.
 */
export class RoutedSelects {
  readonly #router: Router
  readonly #words: number
  readonly #known = new WeakMap<RecordContext, Routed>()

  /** @param destinations how many there are; their numbers start at 0 */
  constructor(router: Router, destinations: number) {
    this.#router = router
    this.#words = Math.ceil((destinations + 1) / 32)
  }

  /** What chooses for the destination of this number. */
  selectsFor(destination: number): Selects {
    const bit = destination + 1
    const word = bit >>> 5
    const mask = 1 << (bit & 31)
    let lastContext: RecordContext | undefined
    let routed: Routed | undefined
    return {
      selects: (bytes, start, end, given) => {
        const context = given as RecordContext
        if (context !== lastContext || routed === undefined) {
          lastContext = context
          routed = this.#of(context)
        }
        const at = (context.sequence - context.firstSequence) * this.#words
        if ((routed.bits[at]! & 1) === 0) this.#route(routed, at, bytes, start, end, context)
        return (routed.bits[at + word]! & mask) !== 0
      },
    }
  }

  #of(context: RecordContext): Routed {
    const known = this.#known.get(context)
    if (known !== undefined) return known
    const routed = { bits: new Uint32Array(context.count * this.#words) }
    this.#known.set(context, routed)
    return routed
  }

  #route({ bits }: Routed, at: number, bytes: Uint8Array, start: number, end: number, context: RecordContext): void {
    const count = this.#router.route(bytes, start, end, context)
    const { hits } = this.#router
    bits[at] = bits[at]! | 1
    for (let index = 0; index < count; index++) {
      const bit = hits[index]! + 1
      const place = at + (bit >>> 5)
      bits[place] = bits[place]! | (1 << (bit & 31))
    }
  }
}
